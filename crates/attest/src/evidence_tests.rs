//! The verifier on recorded evidence: real hardware, published negatives and
//! synthetic cases under throw-away roots.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder;
//! without it the tests are skipped aloud, except in CI.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::appraisal::check::{Check, Group, Recorder};
use crate::appraisal::{Code, Outcome, Roots, Row, Verdict, appraise};
use crate::bundle::{Bundle, SnpEvidence};
use crate::fixtures::{key_digest, weakened};
use crate::identifiers::{Measurement, Sha256Digest};
use crate::policy::Policy;
use crate::snp::anchors::{Anchor, Anchors};
use crate::snp::{Claims, KeyKind, Part, Product, Report, checks};
use crate::time::UnixSeconds;
use crate::x509::Certificate;

#[test]
fn every_case_gets_its_expected_verdict() {
    let mut wrong = Vec::new();
    let mut counted = 0;
    for case in cases() {
        let found = case.judge(&case.anchors(), case.uses_revocation_list());
        match (case.expected_verdict(), found) {
            ("accept", Ok(_)) | ("reject", Err(_)) => counted += 1,
            ("accept", Err(codes)) => wrong.push(format!("{}: refused for {codes:?}", case.id)),
            ("reject", Ok(_)) => wrong.push(format!("{}: accepted", case.id)),
            (other, _) => eprintln!("skipped {}: labelled {other}", case.id),
        }
    }
    eprintln!("{counted} cases judged");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refusal_is_for_the_reason_in_the_label() {
    let expected = BTreeMap::from(REFUSALS);
    let mut wrong = Vec::new();
    for case in cases() {
        if case.expected_verdict() != "reject" {
            continue;
        }
        let Some(code) = expected.get(case.id.as_str()) else {
            wrong.push(format!("{}: no expected code", case.id));
            continue;
        };
        match case.judge(&case.anchors(), case.uses_revocation_list()) {
            Err(codes) if codes.contains(code) => {}
            Err(codes) => wrong.push(format!("{}: {codes:?}, expected {code}", case.id)),
            Ok(_) => wrong.push(format!("{}: accepted", case.id)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn synthetic_evidence_is_refused_with_the_vendors_roots() {
    for case in cases() {
        if !case.is_synthetic() {
            continue;
        }
        let codes = case.judge(&Anchors::amd(), true).unwrap_err();
        assert!(codes.contains(&Code::RootNotPinned), "{}", case.id);
    }
}

/// The label of such a case says that its list ended before the certificate
/// began: with the list it must be refused, without it there is a gap.
#[test]
fn a_stale_revocation_list_refuses_what_is_accepted_without_it() {
    for case in cases() {
        if case.expected_verdict() != "accept" || case.uses_revocation_list() {
            continue;
        }
        if case.file("crl.der").is_none() {
            continue;
        }
        let codes = case.judge(&case.anchors(), true).unwrap_err();
        assert_eq!(codes, [Code::RevocationListStale], "{}", case.id);
    }
}

#[test]
fn claims_are_read_as_labelled() {
    for case in cases() {
        if case.expected_verdict() != "accept" {
            continue;
        }
        let facts = case
            .judge(&case.anchors(), case.uses_revocation_list())
            .unwrap();
        let claims = &case.json["claims"];
        let claim = |name: &str| claims[name].as_str().map(str::to_owned);
        assert_eq!(claim("measurement"), Some(facts.measurement().to_string()));
        let report_data = facts.report_data().to_string();
        assert_eq!(claim("report_data"), Some(report_data), "{}", case.id);
        if let Some(product) = claim("product") {
            assert_eq!(product.to_lowercase(), facts.product().to_string());
        }
        if let Some(svn) = claims["guest_svn"].as_u64() {
            assert_eq!(svn, u64::from(facts.guest_svn), "{}", case.id);
        }
        for (name, level) in [
            ("bootloader", Some(facts.reported_tcb.bootloader)),
            ("tee", Some(facts.reported_tcb.tee)),
            ("snp", Some(facts.reported_tcb.snp)),
            ("microcode", Some(facts.reported_tcb.microcode)),
            ("fmc", facts.reported_tcb.fmc),
        ] {
            if let Some(labelled) = claims["reported_tcb"][name].as_u64() {
                assert_eq!(Some(labelled), level.map(u64::from), "{} {name}", case.id);
            }
        }
    }
}

/// Real evidence under the default rules, with its own measurement allowed: it
/// says nothing about a key configuration of ours, so the binding refuses it.
#[test]
fn real_evidence_passes_every_default_check_but_the_binding() {
    let mut judged = 0;
    for case in cases() {
        if case.expected_verdict() != "accept" || case.is_synthetic() {
            continue;
        }
        let Some(evidence) = case.evidence() else {
            continue;
        };
        let policy = case.policy_text("", &[]);
        if !matches!(case.product(), Product::Genoa) {
            continue;
        }
        let bundle = Bundle::builder(&b"not what the report is bound to"[..])
            .snp(evidence.borrow(case.uses_revocation_list()))
            .build()
            .unwrap();
        let policy = Policy::parse(&policy).unwrap();
        let appraisal = appraise(&bundle, &policy, &Roots::vendor(), case.verify_at());
        let failed: Vec<_> = appraisal
            .rows()
            .iter()
            .filter(|row| matches!(row.outcome(), Outcome::Fail { .. }))
            .map(Row::name)
            .collect();
        assert_eq!(failed, ["report-data"], "{}", case.id);
        let refused = Verdict::Refused(Code::ReportDataMismatch);
        assert_eq!(appraisal.verdict(), refused);
        assert!(appraisal.into_attested().is_err());
        judged += 1;
    }
    eprintln!("{judged} cases judged");
}

#[test]
fn real_milan_is_refused_by_default() {
    for case in cases() {
        if case.expected_verdict() != "accept" || case.is_synthetic() {
            continue;
        }
        let Some(evidence) = case.evidence() else {
            continue;
        };
        if case.product() != Product::Milan {
            continue;
        }
        let bundle = Bundle::builder(&b"kc"[..])
            .snp(evidence.borrow(case.uses_revocation_list()))
            .build()
            .unwrap();
        let policy = Policy::parse(&case.policy_text("", &[])).unwrap();
        let appraisal = appraise(&bundle, &policy, &Roots::vendor(), case.verify_at());
        let row = appraisal
            .rows()
            .iter()
            .find(|row| row.name() == "product-allowed")
            .unwrap();
        let code = Code::ProductNotAllowed;
        assert_eq!(row.outcome(), &Outcome::Fail { code }, "{}", case.id);
    }
}

#[test]
fn reports_without_a_certificate_parse() {
    for case in cases() {
        if case.expected_verdict() == "indeterminate" {
            let report = case.file("report.bin").unwrap();
            assert!(Report::parse(&report).is_ok(), "{}", case.id);
        }
    }
}

/// A bit in a real report, a real certificate or a real list changes the verdict.
#[test]
fn no_bit_of_real_evidence_may_change() {
    let Some(case) = cases()
        .into_iter()
        .find(|case| case.product() == Product::Genoa && case.uses_revocation_list())
    else {
        return;
    };
    let good = case.evidence().unwrap();
    let judge = |evidence: &Evidence| case.judge_evidence(evidence, &Anchors::amd(), true);
    assert!(judge(&good).is_ok());
    for part in 0..5 {
        let length = good.parts()[part].len();
        for bit in (0..length * 8).step_by(length / 3 * 2 + 1) {
            let mut evidence = good.clone();
            evidence.part_mut(part)[bit / 8] ^= 1 << (bit % 8);
            // The tail of a report behind the signature is zero, not signed.
            assert!(judge(&evidence).is_err(), "part {part} bit {bit}");
        }
    }
}

const REFUSALS: [(&str, Code); 30] = [
    ("milan-v2-debug-gosevguest", Code::GuestDebugAllowed),
    ("neg-lit-bad-sig-1185", Code::ReportMalformed),
    ("neg-measurement-flipped", Code::ReportSignature),
    ("neg-min-tcb", Code::TcbBelowFloor),
    ("neg-nonce-mismatch", Code::ReportDataMismatch),
    ("neg-sig-algo-2", Code::ReportMalformed),
    ("neg-signature-r-flipped", Code::ReportSignature),
    ("neg-signature-r-high-bytes", Code::ReportMalformed),
    ("neg-test-vcek-invalid-legacy", Code::CertificateSignature),
    ("neg-truncated-1183", Code::ReportMalformed),
    ("neg-vcek-expired", Code::CertificateExpired),
    ("neg-version-9", Code::ReportMalformed),
    ("neg-vmpl1-when-vmpl0-required", Code::VmplMismatch),
    ("neg-wrong-product-chain", Code::CertificateSignature),
    ("neg-wrong-vcek-other-chip", Code::ReportSignature),
    ("syn-ask-revoked", Code::Revoked),
    ("syn-crl-stale", Code::RevocationListStale),
    ("syn-debug", Code::GuestDebugAllowed),
    ("syn-guest-wrong-key", Code::ReportSignature),
    ("syn-hwid-mismatch", Code::ChipIdMismatch),
    ("syn-launch-tcb-below-min", Code::TcbBelowFloor),
    ("syn-masked-chip-id", Code::ChipIdMasked),
    ("syn-policy-bit17-clear", Code::GuestPolicyMalformed),
    ("syn-product-mismatch", Code::ProductMismatch),
    ("syn-reserved-nonzero", Code::ReportMalformed),
    ("syn-signing-key-none", Code::SigningKeyMismatch),
    ("syn-tcb-ext-missing", Code::CertificateMalformed),
    ("syn-tcb-microcode-mismatch", Code::TcbMismatch),
    ("syn-vcek-expired", Code::CertificateExpired),
    ("syn-vmpl3", Code::VmplMismatch),
];

/// One folder of the evidence.
struct Case {
    id: String,
    folder: PathBuf,
    json: Value,
}

/// Certificates and report of a case.
#[derive(Clone)]
struct Evidence {
    report: Vec<u8>,
    kind: KeyKind,
    leaf: Vec<u8>,
    intermediate: Vec<u8>,
    root: Vec<u8>,
    revocation_list: Option<Vec<u8>>,
}

impl Evidence {
    fn borrow(&self, with_revocation_list: bool) -> SnpEvidence<'_> {
        SnpEvidence {
            report: &self.report,
            kind: self.kind,
            leaf: &self.leaf,
            intermediate: &self.intermediate,
            root: &self.root,
            revocation_list: self
                .revocation_list
                .as_deref()
                .filter(|_| with_revocation_list),
        }
    }

    fn parts(&self) -> [&[u8]; 5] {
        [
            &self.report,
            &self.leaf,
            &self.intermediate,
            &self.root,
            self.revocation_list.as_deref().unwrap(),
        ]
    }

    fn part_mut(&mut self, part: usize) -> &mut Vec<u8> {
        match part {
            0 => &mut self.report,
            1 => &mut self.leaf,
            2 => &mut self.intermediate,
            3 => &mut self.root,
            _ => self.revocation_list.as_mut().unwrap(),
        }
    }
}

impl Case {
    fn expected_verdict(&self) -> &str {
        self.json["expected"]["verdict"].as_str().unwrap()
    }

    fn is_synthetic(&self) -> bool {
        self.json["expected"]["with_real_amd_roots"] == "reject"
    }

    /// A label may say that the list in the folder is a test of stale lists and
    /// not part of the evidence.
    fn uses_revocation_list(&self) -> bool {
        let label = self.json["expected"]["crl"].as_str().unwrap_or_default();
        self.file("crl.der").is_some() && !label.contains("STALE CRL test")
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    fn certificate(&self, name: &str) -> Option<Vec<u8>> {
        self.file(&format!("{name}.der"))
            .or_else(|| Some(pem_blocks(&self.file(&format!("{name}.pem"))?).remove(0)))
    }

    fn evidence(&self) -> Option<Evidence> {
        let report = self
            .file("report.bin")
            .or_else(|| self.file("snp_report.bin"))?;
        if let Some(bundle) = self.file("uvm_host_amd_certificate.pem") {
            let [leaf, intermediate, root] = pem_blocks(&bundle).try_into().unwrap();
            return Some(Evidence {
                report,
                kind: KeyKind::Vcek,
                leaf,
                intermediate,
                root,
                revocation_list: None,
            });
        }
        let kind = match self.file("vlek.der") {
            Some(_) => KeyKind::Vlek,
            None => KeyKind::Vcek,
        };
        let (leaf, intermediate) = match kind {
            KeyKind::Vlek => ("vlek", "asvk"),
            KeyKind::Vcek => ("vcek", "ask"),
        };
        Some(Evidence {
            report,
            kind,
            leaf: self.certificate(leaf)?,
            intermediate: self.certificate(intermediate)?,
            root: self.certificate("ark")?,
            revocation_list: self.file("crl.der"),
        })
    }

    fn product(&self) -> Product {
        match self.json["claims"]["product"].as_str() {
            Some("Genoa") => Product::Genoa,
            Some("Turin") => Product::Turin,
            _ => Product::Milan,
        }
    }

    /// The vendor's keys, or those in the folder of a synthetic case.
    fn anchors(&self) -> Anchors {
        if !self.is_synthetic() {
            return Anchors::amd();
        }
        Anchors::not_amd(Anchor {
            product: self.product(),
            root: key_digest(&self.certificate("ark").unwrap()),
            vcek_authority: key_digest(&self.certificate("ask").unwrap()),
            vlek_authority: None,
        })
    }

    /// Where the label names no time, one at which the certificate is valid.
    fn verify_at(&self) -> UnixSeconds {
        if let Some(text) = self.json["verify_at"].as_str() {
            let date: der::DateTime = text.parse().unwrap();
            return UnixSeconds::new(date.unix_duration().as_secs());
        }
        let evidence = self.evidence().unwrap();
        let leaf = Certificate::parse(&evidence.leaf).unwrap();
        leaf.not_before().saturating_add(24 * 60 * 60)
    }

    /// A policy that allows what the label claims, with these lines for SEV-SNP.
    fn policy_text(&self, snp_lines: &str, statements: &[&str]) -> String {
        let claimed = self.json["claims"]["measurement"].as_str();
        let measurement = claimed.map_or(Measurement::new([1; 48]).to_string(), str::to_owned);
        let digest = Sha256Digest::of(b"");
        format!(
            "version = 1\nname = \"{}\"\nplatforms = [\"sev-snp\"]\n\
             measurements = [{{ name = \"claimed\", platform = \"sev-snp\", value = \"{measurement}\" }}]\n\
             weights = [{{ name = \"w\", sha256 = \"{digest}\" }}]\n\
             configurations = [{{ name = \"c\", sha256 = \"{digest}\" }}]\n\
             releases = [{{ name = \"r\", sha256 = \"{digest}\" }}]\n\
             [sev-snp]\n{snp_lines}\n{}",
            self.id,
            weakened(statements)
        )
    }

    /// The appraisal the folder's README describes: any product, any firmware
    /// level unless the case sets one, the privilege level the case names.
    fn permissive_policy(&self) -> Policy {
        let params = &self.json["params"];
        let vmpl = params["required_vmpl"]
            .as_u64()
            .or(self.json["expected"]["vmpl"].as_u64())
            .unwrap_or(0);
        let minimum = ["minimum_tcb", "minimum_launch_tcb"]
            .into_iter()
            .map(|name| &params[name])
            .find(|minimum| minimum.is_object());
        let level = |name| {
            minimum
                .and_then(|minimum| minimum[name].as_u64())
                .unwrap_or(0)
        };
        let mut lines = format!(
            "products = [\"milan\", \"genoa\", \"turin\"]\nvmpl = {vmpl}\n\
             allow-provisional-firmware = true\nrequire-alias-check = false\n"
        );
        for part in Part::ALL {
            let fmc = match part.product() {
                Product::Turin => "fmc = 0\n",
                _ => "",
            };
            lines += &format!(
                "[[sev-snp.tcb-floors]]\npart = \"{part}\"\nas-of = \"case\"\n{fmc}\
                 bootloader = {}\ntee = {}\nsnp = {}\nmicrocode = {}\n",
                level("bootloader"),
                level("tee"),
                level("snp"),
                level("microcode"),
            );
        }
        let mut statements = vec![
            "product-milan",
            "tcb-floor",
            "alias-check",
            "provisional-firmware",
        ];
        if vmpl != 0 {
            statements.push("vmpl");
        }
        Policy::parse(&self.policy_text(&lines, &statements)).unwrap()
    }

    fn judge(&self, anchors: &Anchors, with_list: bool) -> Result<Claims, Vec<Code>> {
        match self.evidence() {
            Some(evidence) => self.judge_evidence(&evidence, anchors, with_list),
            // No certificates: all that can be said is whether the report parses.
            None => match Report::parse(&self.file("report.bin").unwrap()) {
                Ok(_) => Err(vec![Code::EvidenceMissing]),
                Err(_) => Err(vec![Code::ReportMalformed]),
            },
        }
    }

    fn judge_evidence(
        &self,
        evidence: &Evidence,
        anchors: &Anchors,
        with_list: bool,
    ) -> Result<Claims, Vec<Code>> {
        let mut recorder = Recorder::new(&[Group::Snp]);
        let facts = checks::verify(
            &evidence.borrow(with_list),
            &self.permissive_policy(),
            anchors,
            self.verify_at(),
            &mut recorder,
        );
        if let Some(facts) = &facts {
            let claimed = self.json["claims"]["report_data"].as_str();
            let wanted = self.json["params"]["expected_report_data"].as_str();
            let found = facts.report_data().to_string();
            recorder.compare(
                Check::ReportData,
                wanted.or(claimed).is_none_or(|wanted| wanted == found),
                Code::ReportDataMismatch,
                "",
                "",
            );
        }
        let codes: Vec<_> = recorder
            .finish()
            .1
            .iter()
            .filter_map(|row| match row.outcome() {
                Outcome::Fail { code } => Some(*code),
                _ => None,
            })
            .collect();
        match facts {
            Some(facts) if codes.is_empty() => Ok(facts),
            _ => Err(codes),
        }
    }
}

fn cases() -> Vec<Case> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    let Ok(folders) = fs::read_dir(root.join("sev-snp")) else {
        assert_ne!(
            env::var("CI").as_deref(),
            Ok("true"),
            "no evidence at {}",
            root.display()
        );
        eprintln!("skipped: no evidence at {}", root.display());
        return Vec::new();
    };
    let mut cases: Vec<_> = folders
        .filter_map(|entry| {
            let folder = entry.unwrap().path();
            let text = fs::read_to_string(folder.join("case.json")).ok()?;
            let json: Value = serde_json::from_str(&text).unwrap();
            let id = json["id"].as_str().unwrap().to_owned();
            Some(Case { id, folder, json })
        })
        .collect();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    assert!(!cases.is_empty(), "no case in {}", root.display());
    cases
}

fn pem_blocks(text: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|block| {
            let (body, _) = block.split_once("-----END").unwrap();
            let body: String = body.split_whitespace().collect();
            STANDARD.decode(body).unwrap()
        })
        .collect()
}

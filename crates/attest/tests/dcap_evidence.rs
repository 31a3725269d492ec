//! Intel TDX and SGX: recorded evidence of real hardware, and what may be done to it.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder; without it the tests are skipped aloud,
//! except in CI.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use subrosa_attest::dcap::{Anchors, CollateralFile, TcbRules};
use subrosa_attest::tdx::{self, Log};
use subrosa_attest::{Code, UnixSeconds, sgx};

/// A recorded quote with its collateral.
struct Recorded {
    label: Value,
    quote: Vec<u8>,
    collateral: CollateralFile,
    root: Vec<u8>,
    now: UnixSeconds,
}

impl Recorded {
    fn read(folder: &Path) -> Option<Self> {
        let file = |name: &str| fs::read(folder.join(name)).ok();
        let label: Value = serde_json::from_slice(&file("case.json")?).unwrap();
        let date: der::DateTime = label["verify_at"].as_str()?.parse().unwrap();
        Some(Self {
            quote: file("quote.bin")?,
            collateral: CollateralFile::parse(&file("collateral.json")?).unwrap(),
            root: file("root_ca.der").or_else(|| file("intel_sgx_root_ca.der"))?,
            now: UnixSeconds::new(date.unix_duration().as_secs()),
            label,
        })
    }

    fn is_real(&self) -> bool {
        self.label["real_hardware_evidence"] == true
    }

    fn id(&self) -> &str {
        self.label["id"].as_str().unwrap()
    }

    /// The appraisal with these rules; real evidence under the vendor's root.
    fn judge(&self, tcb: &TcbRules) -> (Option<Code>, Value) {
        self.judge_with(&self.collateral, tcb)
    }

    fn judge_with(&self, collateral: &CollateralFile, tcb: &TcbRules) -> (Option<Code>, Value) {
        let anchors = if self.is_real() {
            Anchors::vendor()
        } else {
            Anchors::with_root(&self.root).unwrap()
        };
        let collateral = collateral.collateral();
        if self.label["tee"] == "sgx" {
            let rules = sgx::Rules::strict().tcb(tcb.clone());
            let evidence = sgx::Evidence {
                quote: &self.quote,
                pck_chain: None,
                collateral,
            };
            let found = sgx::appraise(&evidence, &rules, &anchors, self.now);
            return (found.verdict().err(), found.to_json());
        }
        let evidence = tdx::Evidence {
            quote: &self.quote,
            pck_chain: None,
            collateral,
            event_log: None,
        };
        let rules = tdx::Rules::strict().tcb(tcb.clone());
        let found = tdx::appraise(&evidence, &rules, &anchors, self.now);
        (found.verdict().err(), found.to_json())
    }
}

fn any_issue() -> TcbRules {
    TcbRules::strict().minimum_evaluation_number(0)
}

#[test]
fn statuses_levels_and_advisories_are_those_of_the_reference() {
    let mut compared = 0;
    for recorded in recorded() {
        let expected = match &recorded.label["expected"]["reference_result"] {
            Value::Null => &recorded.label["expected"],
            reference => reference,
        };
        let (_, found) = recorded.judge(&any_issue());
        for name in [
            "tcb_status",
            "platform_tcb_status",
            "qe_tcb_status",
            "tdx_module_status",
            "tcb_date",
            "tcb_eval_data_number",
        ] {
            let (expected, found) = (&expected[name], &found["claims"][name]);
            if expected.is_null() || found.is_null() {
                continue;
            }
            assert_eq!(expected, found, "{}: {name}", recorded.id());
            compared += 1;
        }
        if !found["claims"]["tcb_status"].is_null() && !expected["advisory_ids"].is_null() {
            assert_eq!(
                texts(&expected["advisory_ids"]),
                texts(&found["claims"]["advisory_ids"]),
                "{}",
                recorded.id()
            );
        }
    }
    assert!(compared > 200 || recorded().is_empty(), "{compared}");
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

/// Each refusal has the reason that the case was made for, not one before it.
#[test]
fn each_case_is_refused_for_what_is_wrong_with_it() {
    let mut wrong = Vec::new();
    for recorded in recorded() {
        let expected = REASONS
            .iter()
            .find(|(id, _)| *id == recorded.id())
            .map(|(_, code)| *code);
        let (found, _) = recorded.judge(&any_issue());
        if !recorded.is_real() && expected != found {
            wrong.push(format!("{}: {found:?}", recorded.id()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const REASONS: &[(&str, Code)] = &[
    ("neg-real-v4-report-data-flip", Code::ReportSignature),
    ("neg-real-v5-rtmr-flip", Code::ReportSignature),
    ("syn-akt-p384", Code::ReportMalformed),
    ("syn-debug", Code::GuestDebugAllowed),
    ("syn-fmspc-mismatch", Code::CollateralMismatch),
    ("syn-mrservicetd", Code::ServiceGuestBound),
    ("syn-pck-crl-expired", Code::RevocationListStale),
    ("syn-pck-crl-wrong-key", Code::RevocationListInvalid),
    ("syn-pck-expired", Code::CertificateExpired),
    ("syn-pck-revoked", Code::Revoked),
    ("syn-perfmon", Code::GuestAttributeNotAllowed),
    ("syn-qe-attributes", Code::QuotingEnclaveMismatch),
    ("syn-qe-debug", Code::QuotingEnclaveMismatch),
    ("syn-qe-mrsigner", Code::QuotingEnclaveMismatch),
    ("syn-qe-outofdate", Code::TcbOutOfDate),
    ("syn-qe-report-signature", Code::AttestationKeyNotEndorsed),
    ("syn-quote-signature", Code::ReportSignature),
    ("syn-quote-truncated", Code::ReportMalformed),
    ("syn-rogue-root", Code::RootNotPinned),
    ("syn-seam-attributes", Code::ModuleMismatch),
    ("syn-siglen-overflow", Code::ReportMalformed),
    (
        "syn-tcb-configurationandswhardeningneeded",
        Code::TcbStatusNotAllowed,
    ),
    ("syn-tcb-no-level", Code::TcbLevelMissing),
    ("syn-tcb-one-component-low", Code::TcbOutOfDate),
    ("syn-tcb-outofdate", Code::TcbOutOfDate),
    ("syn-tcb-revoked", Code::TcbRevoked),
    ("syn-tcb-signer-revoked", Code::Revoked),
    ("syn-tcb-swhardeningneeded", Code::TcbStatusNotAllowed),
    ("syn-tcbinfo-bad-signature", Code::CollateralSignature),
    ("syn-tcbinfo-expired", Code::CollateralStale),
    ("syn-tcbinfo-future", Code::CollateralStale),
    ("syn-tcbinfo-sgx-for-tdx", Code::CollateralMismatch),
    ("syn-tdx-component-low", Code::TcbOutOfDate),
    ("syn-tdx-module-identities-missing", Code::ModuleMismatch),
    ("syn-tdx-module-outofdate", Code::TcbOutOfDate),
    ("syn-tud-reserved", Code::GuestPolicyMalformed),
];

#[test]
fn the_default_rules_ask_for_recent_collateral() {
    for recorded in recorded() {
        let (code, json) = recorded.judge(&TcbRules::strict());
        let number = json["claims"]["tcb_eval_data_number"].as_u64();
        assert!(
            code.is_some() || number >= Some(19),
            "{}: {number:?}",
            recorded.id()
        );
    }
}

#[test]
fn collateral_of_another_platform_never_makes_a_quote_acceptable() {
    let all = recorded();
    let mut tried = 0;
    for recorded in all.iter().filter(|one| one.is_real()) {
        let own = platform(&recorded.collateral);
        let mut others = BTreeSet::from([own]);
        for other in &all {
            if !others.insert(platform(&other.collateral)) {
                continue;
            }
            let (code, _) = recorded.judge_with(&other.collateral, &any_issue());
            assert!(code.is_some(), "{} and {}", recorded.id(), other.id());
            tried += 1;
        }
    }
    assert!(tried > 200 || all.is_empty(), "{tried}");
}

/// The kind of platform that collateral is for.
fn platform(collateral: &CollateralFile) -> (String, String) {
    let info: Value = serde_json::from_slice(collateral.collateral().tcb_info).unwrap();
    (
        info["id"].to_string(),
        info["fmspc"].to_string().to_uppercase(),
    )
}

#[test]
fn no_signed_byte_of_a_real_quote_may_change() {
    for (name, step) in [
        ("tdx/v5-google-eval18-uptodate", 1),
        ("sgx/v3-signal-dcap-v3-eval12-uptodate", 5),
    ] {
        let Some(root) = folder() else { return };
        let mut recorded = Recorded::read(&root.join(name)).unwrap();
        assert_eq!(recorded.judge(&any_issue()).0, None);
        let chain = find(&recorded.quote, b"-----BEGIN");
        for at in (0..chain).step_by(step) {
            recorded.quote[at] ^= 1 << (at % 8);
            assert!(recorded.judge(&any_issue()).0.is_some(), "{name}: {at}");
            recorded.quote[at] ^= 1 << (at % 8);
        }
        recorded.quote.push(0);
        assert_eq!(recorded.judge(&any_issue()).0, Some(Code::ReportMalformed));
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    let mut windows = haystack.windows(needle.len());
    windows.position(|window| window == needle).unwrap()
}

#[test]
fn a_recorded_log_gives_the_registers_of_its_own_quote_only() {
    let Some(root) = folder() else { return };
    let read = |name: &str| fs::read(root.join(name)).unwrap();
    let ours = Recorded::read(&root.join("tdx/v4-google-cos113-eval17-uptodate")).unwrap();
    let own = read("eventlog/ccel-cos113-with-quote/eventlog.bin");
    let other = read("eventlog/ccel-grub-gke/eventlog.bin");
    for (log, expected) in [(own, None), (other, Some(Code::EventLogMismatch))] {
        let evidence = tdx::Evidence {
            quote: &ours.quote,
            pck_chain: None,
            collateral: ours.collateral.collateral(),
            event_log: Some(Log::Ccel(&log)),
        };
        let rules = tdx::Rules::strict().tcb(any_issue()).event_log_required();
        let found = tdx::appraise(&evidence, &rules, &Anchors::vendor(), ours.now);
        assert_eq!(found.verdict().err(), expected);
    }
}

fn recorded() -> Vec<Recorded> {
    let Some(root) = folder() else {
        return Vec::new();
    };
    let mut folders: Vec<_> = ["sgx", "tdx"]
        .iter()
        .flat_map(|platform| fs::read_dir(root.join(platform)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
        .iter()
        .filter_map(|one| Recorded::read(one))
        .collect()
}

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    if root.join("tdx").is_dir() {
        return Some(root);
    }
    let place = root.display();
    assert_ne!(
        env::var("CI").as_deref(),
        Ok("true"),
        "no evidence at {place}"
    );
    eprintln!("skipped: no evidence at {place}");
    None
}

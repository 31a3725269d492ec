//! AMD SEV-SNP reports.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subrosa_attest::identifiers::ReportData;
use subrosa_attest::snp::{
    Anchors, Claims, Demands, KeyKind, Part, Product, Report, RevocationList, Rules, SnpEvidence,
    Tcb, appraise,
};
use subrosa_attest::x509::Certificate;
use subrosa_attest::{Code, EvidenceAppraisal, UnixSeconds};

use crate::case::pem_certificates;
use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let report = case.first_file(&["report.bin", "snp_report.bin"]);
    let Some(report) = report else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    if Report::parse(report).is_err() {
        return Ok(Judgement::refused(Code::ReportMalformed));
    }
    let Some(endorsement) = Endorsement::of(case) else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let appraisal = endorsement.appraise(case, report)?;
    Ok(Judgement::of(&appraisal).unless(
        container_policy_is_bound(case, &appraisal),
        Code::HostDataMismatch,
    ))
}

/// The certificates of a case.
pub(crate) struct Endorsement {
    pub(crate) kind: KeyKind,
    pub(crate) leaf: Vec<u8>,
    pub(crate) intermediate: Vec<u8>,
    pub(crate) root: Vec<u8>,
    pub(crate) revocation_list: Option<Vec<u8>>,
}

impl Endorsement {
    pub(crate) fn of(case: &Case) -> Option<Self> {
        if let Some(chain) = case.file("uvm_host_amd_certificate.pem") {
            let [leaf, intermediate, root] = pem_certificates(chain).try_into().ok()?;
            return Some(Self {
                kind: KeyKind::Vcek,
                leaf,
                intermediate,
                root,
                revocation_list: None,
            });
        }
        let (kind, leaf, intermediate) = match case.certificate("vlek") {
            Some(vlek) => (KeyKind::Vlek, vlek, case.certificate("asvk")?),
            None => (
                KeyKind::Vcek,
                case.certificate("vcek")?,
                case.certificate("ask")?,
            ),
        };
        let list = case.file("crl.der").filter(|list| covers(list, &leaf));
        Some(Self {
            revocation_list: list.map(<[u8]>::to_vec),
            kind,
            leaf,
            intermediate,
            root: case.certificate("ark")?,
        })
    }

    fn appraise(&self, case: &Case, report: &[u8]) -> Result<EvidenceAppraisal<Claims>, CaseError> {
        let evidence = SnpEvidence {
            report,
            kind: self.kind,
            leaf: &self.leaf,
            intermediate: &self.intermediate,
            root: &self.root,
            revocation_list: self.revocation_list.as_deref(),
        };
        let anchors = if case.is_synthetic() {
            Anchors::of_test_root(&self.root, &self.intermediate)
        } else {
            Ok(Anchors::amd())
        };
        let anchors = anchors.unwrap_or_else(|_| Anchors::amd());
        let now = case.verify_at().or_else(|| self.some_valid_time());
        Ok(appraise(
            &evidence,
            &rules(case)?,
            &demands(case)?,
            &anchors,
            now.unwrap_or(UnixSeconds::new(0)),
        ))
    }

    /// Where the case names no time: a day after the certificate was issued.
    fn some_valid_time(&self) -> Option<UnixSeconds> {
        let leaf = Certificate::parse(&self.leaf).ok()?;
        Some(leaf.not_before().saturating_add(24 * 60 * 60))
    }
}

/// A list that ended before the certificate began does not belong to this
/// evidence; what cannot be read is left to the verifier to refuse.
fn covers(list: &[u8], leaf: &[u8]) -> bool {
    match (RevocationList::parse(list), Certificate::parse(leaf)) {
        (Ok(list), Ok(leaf)) => list.next_update() >= leaf.not_before(),
        _ => true,
    }
}

/// Any product and firmware level, unless the case sets one; the privilege level
/// that it names.
pub(crate) fn rules(case: &Case) -> Result<Rules, CaseError> {
    let minimum = ["minimum_tcb", "minimum_launch_tcb"]
        .into_iter()
        .map(|name| (name, case.param(name)))
        .find(|(_, minimum)| !minimum.is_null());
    let mut floors = Vec::new();
    for part in Part::ALL {
        let level = match minimum {
            None => LOWEST,
            Some((name, minimum)) => level(minimum).ok_or_else(|| parameter(name))?,
        };
        let fmc = (part.product() == Product::Turin).then_some(level.fmc.unwrap_or(0));
        floors.push((part, Tcb { fmc, ..level }));
    }
    let rules = Rules::strict()
        .products(&[Product::Milan, Product::Genoa, Product::Turin])
        .tcb_floors(&floors)
        .alias_check_required(false)
        .provisional_firmware_accepted(true);
    match case.param("required_vmpl") {
        Value::Null => Ok(rules.any_guest_vmpl()),
        level => {
            let level = level.as_u64().and_then(|level| u32::try_from(level).ok());
            Ok(rules.vmpl(level.ok_or_else(|| parameter("required_vmpl"))?))
        }
    }
}

fn demands(case: &Case) -> Result<Demands, CaseError> {
    match case.param("expected_report_data") {
        Value::Null => Ok(Demands::none()),
        expected => {
            let text = expected.as_str().unwrap_or_default();
            let expected: ReportData = text
                .parse()
                .map_err(|_| parameter("expected_report_data"))?;
            Ok(Demands::none().report_data(expected))
        }
    }
}

fn level(minimum: &Value) -> Option<Tcb> {
    let component = |name: &str| match minimum.get(name) {
        None => Some(0),
        Some(value) => u8::try_from(value.as_u64()?).ok(),
    };
    Some(Tcb {
        fmc: component("fmc").filter(|_| minimum.get("fmc").is_some()),
        bootloader: component("bootloader")?,
        tee: component("tee")?,
        snp: component("snp")?,
        microcode: component("microcode")?,
    })
}

/// Where a container policy lies beside the report, its digest is the host data.
fn container_policy_is_bound(case: &Case, appraisal: &EvidenceAppraisal<Claims>) -> bool {
    let Some(policy) = case.file("uvm_security_policy.base64") else {
        return true;
    };
    if policy.len() > MAX_POLICY_LEN {
        return false;
    }
    let text: String = String::from_utf8_lossy(policy).split_whitespace().collect();
    let digest = STANDARD.decode(text).map(Sha256::digest);
    match (digest, appraisal.claims()) {
        (Ok(digest), Some(claims)) => claims.host_data().as_bytes()[..] == digest[..],
        _ => false,
    }
}

fn parameter(name: &str) -> CaseError {
    CaseError::Parameter {
        name: name.to_owned(),
    }
}

/// Longest container policy that is read, in bytes of Base64.
const MAX_POLICY_LEN: usize = 256 * 1024;

const LOWEST: Tcb = Tcb {
    fmc: None,
    bootloader: 0,
    tee: 0,
    snp: 0,
    microcode: 0,
};

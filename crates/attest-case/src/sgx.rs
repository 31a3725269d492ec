//! Intel SGX quotes.

use subrosa_attest::Code;
use subrosa_attest::dcap::{CollateralFile, TcbRules, TcbStatus};
use subrosa_attest::identifiers::{ReportData, Sha256Digest};
use subrosa_attest::sgx::{Anchors, Evidence, Rules, appraise};

use crate::dcap::{anchors, tcb_rules, text};
use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let Some(quote) = case.first_file(&["quote.bin", "quote.dat"]) else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let collateral = match case.file("collateral.json").map(CollateralFile::parse) {
        Some(Ok(collateral)) => collateral,
        Some(Err(_)) => return Ok(Judgement::refused(Code::CollateralMalformed)),
        None => return Ok(Judgement::refused(Code::EvidenceMissing)),
    };
    let Some(now) = case.verify_at() else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let evidence = Evidence {
        quote,
        pck_chain: None,
        collateral: collateral.collateral(),
    };
    let anchors = anchors(case, "root_ca").unwrap_or_else(Anchors::vendor);
    let appraisal = appraise(&evidence, &rules(case)?, &anchors, now);
    Ok(Judgement::of(&appraisal))
}

/// Firmware that is up to date or needs hardened software; no debugging; what the
/// case names.
fn rules(case: &Case) -> Result<Rules, CaseError> {
    let hardened = TcbRules::strict()
        .accept_status(TcbStatus::SWHardeningNeeded)
        .accept_any_advisory();
    let mut rules = Rules::strict().tcb(tcb_rules(case, hardened)?);
    if let Some(signer) = text::<Sha256Digest>(case, "expected_mrsigner")? {
        rules = rules.signers(vec![signer]);
    }
    if let Some(enclave) = text::<Sha256Digest>(case, "expected_mrenclave")? {
        rules = rules.measurements(vec![enclave]);
    }
    if let Some(expected) = text::<ReportData>(case, "expected_report_data")? {
        rules = rules.report_data(expected);
    }
    Ok(rules)
}

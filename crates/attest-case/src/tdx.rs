//! Intel TDX quotes.

use subrosa_attest::Code;
use subrosa_attest::dcap::{CollateralFile, TcbRules};
use subrosa_attest::identifiers::ReportData;
use subrosa_attest::tdx::{Anchors, Evidence, Rules, appraise};

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
        event_log: None,
    };
    let anchors = anchors(case, "root_ca").unwrap_or_else(Anchors::vendor);
    let appraisal = appraise(&evidence, &rules(case)?, &anchors, now);
    Ok(Judgement::of(&appraisal))
}

/// Up-to-date firmware, whatever issue of collateral says so; no weakening
/// attribute; the report data that the case names.
fn rules(case: &Case) -> Result<Rules, CaseError> {
    let tcb = tcb_rules(case, TcbRules::strict())?;
    let mut rules = Rules::strict().tcb(tcb);
    if let Some(expected) = text::<ReportData>(case, "expected_report_data")? {
        rules = rules.report_data(expected);
    }
    Ok(rules)
}

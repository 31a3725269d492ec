//! Arm CCA attestation tokens.

use subrosa_attest::cca::{Anchors, Evidence, Rules, appraise};
use subrosa_attest::identifiers::ReportData;
use subrosa_attest::{Code, UnixSeconds};

use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let Some(token) = case.file("token.cbor") else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let appraisal = appraise(
        &Evidence { token },
        &rules(case)?,
        &anchors(case),
        case.verify_at().unwrap_or(UnixSeconds::new(0)),
    );
    Ok(Judgement::of(&appraisal))
}

/// Tokens of the kinds that bring a platform key are judged under it; nobody
/// endorses a key publicly, so that others are refused.
fn anchors(case: &Case) -> Anchors {
    let brings_key = matches!(case.kind(), "cca-token" | "cca-synthetic") && !case.is_real();
    let own = brings_key.then(|| case.public_key("cpak_pub")).flatten();
    own.and_then(|key| Anchors::with_key(&key).ok())
        .unwrap_or_else(Anchors::vendor)
}

fn rules(case: &Case) -> Result<Rules, CaseError> {
    let mut rules = Rules::strict().old_profiles_accepted(true);
    for name in ["expected_nonce", "expected_challenge"] {
        if let Some(challenge) = case.bytes_param(name)? {
            let challenge = challenge.try_into().map_err(|_| CaseError::Parameter {
                name: name.to_owned(),
            })?;
            rules = rules.challenge(ReportData::new(challenge));
        }
    }
    if let Some(measurement) = case.bytes_param("expected_rim")? {
        rules = rules.initial_measurements(vec![measurement]);
    }
    Ok(rules)
}

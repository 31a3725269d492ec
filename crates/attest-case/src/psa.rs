//! Arm PSA Initial Attestation tokens.

use subrosa_attest::psa::{Anchors, Evidence, Rules, appraise};
use subrosa_attest::{Code, UnixSeconds};

use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let Some(token) = case.file("token.cbor") else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let mut rules = Rules::strict().old_claims_accepted(true);
    if let Some(nonce) = case.bytes_param("expected_nonce")? {
        rules = rules.nonce(&nonce);
    }
    let appraisal = appraise(
        &Evidence { token },
        &rules,
        &anchors(case),
        case.verify_at().unwrap_or(UnixSeconds::new(0)),
    );
    Ok(Judgement::of(&appraisal))
}

/// Test tokens are judged under the key that they bring; nobody endorses a key
/// publicly, so that others are refused.
fn anchors(case: &Case) -> Anchors {
    let own = (!case.is_real())
        .then(|| case.public_key("iak_pub"))
        .flatten();
    own.and_then(|key| Anchors::with_key(&key).ok())
        .unwrap_or_else(Anchors::vendor)
}

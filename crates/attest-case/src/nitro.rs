//! AWS Nitro attestation documents.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use subrosa_attest::nitro::{Anchors, Evidence, Register, Rules, appraise};
use subrosa_attest::{Code, UnixSeconds};

use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let Some(document) = case.file("document.cbor") else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let appraisal = appraise(
        &Evidence { document },
        &rules(case)?,
        &anchors(case),
        case.verify_at().unwrap_or(UnixSeconds::new(0)),
    );
    Ok(Judgement::of(&appraisal))
}

/// A synthetic case brings its own root; without one only AWS's is left.
fn anchors(case: &Case) -> Anchors {
    let own = case
        .is_synthetic()
        .then(|| case.certificate("root"))
        .flatten();
    own.and_then(|root| Anchors::with_root(&root).ok())
        .unwrap_or_else(Anchors::vendor)
}

/// A document of any age for which its certificates are valid, with the values
/// that the case names.
fn rules(case: &Case) -> Result<Rules, CaseError> {
    let mut rules = Rules::strict().maximum_age(None);
    if let Some(nonce) = case.bytes_param("expected_nonce")? {
        rules = rules.nonce(&nonce);
    }
    if let Some(data) = case.bytes_param("expected_user_data")? {
        rules = rules.user_data(&data);
    }
    if let Some(key) = case.bytes_param("expected_public_key")? {
        rules = rules.public_key(&key);
    }
    for (number, value) in registers(case)? {
        rules = rules.register(Register::Number(number), &[&value]);
    }
    Ok(rules)
}

fn registers(case: &Case) -> Result<Vec<(u8, Vec<u8>)>, CaseError> {
    let name = "expected_pcrs";
    let expected = case.param(name);
    if expected.is_null() {
        return Ok(Vec::new());
    }
    let refused = || CaseError::Parameter {
        name: name.to_owned(),
    };
    BTreeMap::<String, String>::deserialize(expected)
        .map_err(|_| refused())?
        .into_iter()
        .map(|(number, value)| Some((number.parse().ok()?, hex::decode(value).ok()?)))
        .collect::<Option<_>>()
        .ok_or_else(refused)
}

//! Quotes of a TPM 2.0.

use serde_json::Value;
use subrosa_attest::tpm::{
    Anchors, AttestationKey, Evidence, QuoteSignature, RegisterValues, Requirement, Rules, appraise,
};
use subrosa_attest::{Code, UnixSeconds};

use crate::case::pem_blocks;
use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    match case.kind() {
        "tpm2-quote" | "tpm2-synthetic" => quote(case),
        _ => Ok(Judgement::unsupported()),
    }
}

/// The key is one that the case names, so that no certificate is needed; whose
/// TPM it is follows from nothing.
fn quote(case: &Case) -> Result<Judgement, CaseError> {
    let (Some(quote), Some(signature)) = (case.file("quote.msg"), case.file("quote.sig")) else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let spki = case.file("ak_pub.pem").and_then(public_key);
    let key = match (case.file("ak_pub.tpmt"), &spki) {
        (Some(public), _) => AttestationKey::Public(public),
        (None, Some(der)) => AttestationKey::SubjectPublicKeyInfo(der),
        (None, None) => return Ok(Judgement::refused(Code::EvidenceMissing)),
    };
    let evidence = Evidence {
        quote,
        signature: QuoteSignature::Structure(signature),
        key,
        certificates: None,
        values: register_values(case)?,
        event_log: case.file("eventlog.bin"),
    };
    let now = case.verify_at().unwrap_or(UnixSeconds::new(0));
    let rules = rules(case, NONCE)?;
    Ok(Judgement::of(&appraise(
        &evidence,
        &rules,
        &Anchors::vendor(),
        now,
    )))
}

/// What the case names is demanded; of the rest, what is there must be good.
pub(crate) fn rules(case: &Case, nonce: &str) -> Result<Rules, CaseError> {
    let rules = Rules::default()
        .values(Requirement::IfPresent)
        .key_attributes(Requirement::IfPresent)
        .key_certificate(Requirement::IfPresent)
        .required_registers(&required_registers(case)?);
    match case.param(nonce) {
        Value::Null => Ok(rules.any_nonce()),
        expected => {
            let text = expected.as_str().ok_or_else(|| parameter(nonce))?;
            let expected = hex::decode(text).map_err(|_| parameter(nonce))?;
            Ok(rules.nonce(&expected))
        }
    }
}

fn required_registers(case: &Case) -> Result<Vec<u8>, CaseError> {
    match case.param(REGISTERS) {
        Value::Null => Ok(Vec::new()),
        registers => serde_json::from_value(registers.clone()).map_err(|_| parameter(REGISTERS)),
    }
}

/// Values in hexadecimal, by register or in order.
pub(crate) fn register_values(case: &Case) -> Result<Option<RegisterValues>, CaseError> {
    let Some(text) = case.file(VALUES) else {
        return Ok(None);
    };
    let damaged = || CaseError::Damaged {
        name: VALUES.to_owned(),
    };
    if text.len() > MAX_VALUES_LEN {
        return Err(damaged());
    }
    let pairs: Vec<(String, Value)> = match serde_json::from_slice(text) {
        Ok(Value::Object(values)) => values.into_iter().collect(),
        Ok(Value::Array(values)) => (0_u64..)
            .zip(values)
            .map(|(register, value)| (register.to_string(), value))
            .collect(),
        _ => return Err(damaged()),
    };
    let mut values = RegisterValues::new();
    for (register, value) in pairs {
        let register = register.parse().map_err(|_| damaged())?;
        let value = value.as_str().and_then(|text| hex::decode(text).ok());
        values = values.with(register, &value.ok_or_else(damaged)?);
    }
    Ok(Some(values))
}

fn public_key(text: &[u8]) -> Option<Vec<u8>> {
    pem_blocks(text, "PUBLIC KEY").into_iter().next()
}

fn parameter(name: &str) -> CaseError {
    CaseError::Parameter {
        name: name.to_owned(),
    }
}

/// Longest file of register values that is read, in bytes. Those in use have less than 4,000.
const MAX_VALUES_LEN: usize = 64 * 1024;
const NONCE: &str = "expected_extra_data";
const REGISTERS: &str = "required_pcrs";
const VALUES: &str = "pcrs.json";

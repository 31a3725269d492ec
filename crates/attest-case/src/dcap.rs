//! What cases of TDX and SGX share.

use core::str::FromStr;

use serde_json::Value;
use subrosa_attest::dcap::{Anchors, TcbRules};

use crate::{Case, CaseError};

/// The root that a synthetic case brings; only the vendor's counts elsewhere.
pub(crate) fn anchors(case: &Case, stem: &str) -> Option<Anchors> {
    let root = case.certificate(stem).filter(|_| case.is_synthetic())?;
    Anchors::with_root(&root).ok()
}

/// The rules, with collateral of the issue that the case names or of any.
pub(crate) fn tcb_rules(case: &Case, rules: TcbRules) -> Result<TcbRules, CaseError> {
    let name = "min_tcb_evaluation_data_number";
    let minimum = match case.param(name) {
        Value::Null => 0,
        number => number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| parameter(name))?,
    };
    Ok(rules.minimum_evaluation_number(minimum))
}

/// A parameter that is written as text.
pub(crate) fn text<T: FromStr>(case: &Case, name: &str) -> Result<Option<T>, CaseError> {
    match case.param(name) {
        Value::Null => Ok(None),
        value => value
            .as_str()
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or_else(|| parameter(name)),
    }
}

pub(crate) fn parameter(name: &str) -> CaseError {
    CaseError::Parameter {
        name: name.to_owned(),
    }
}

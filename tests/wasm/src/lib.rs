//! The verifier in a browser or in Node, for the test that it judges recorded
//! evidence as it does natively.

use std::collections::BTreeMap;

use subrosa_attest_case::{Case, CaseError, Description, judge};
use wasm_bindgen::prelude::wasm_bindgen;

/// The files of one case.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Files {
    files: BTreeMap<String, Vec<u8>>,
    lent: Vec<Lent>,
}

/// A file that another case lends.
#[derive(Debug)]
struct Lent {
    name: String,
    lender: Vec<u8>,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Files {
    /// No file yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn add(&mut self, name: String, bytes: Vec<u8>) {
        self.files.insert(name, bytes);
    }

    /// Adds a file that the case wants, and that the case described by `lender` has.
    pub fn lend(&mut self, name: String, lender: Vec<u8>, bytes: Vec<u8>) {
        self.lent.push(Lent {
            name,
            lender,
            bytes,
        });
    }

    /// Judges the case that `description`, its `case.json`, describes; gives back
    /// the judgement, or `{"error": …}`, as JSON.
    #[must_use]
    pub fn judge(&self, description: &[u8]) -> String {
        self.try_judge(description)
            .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
    }
}

impl Files {
    fn try_judge(&self, description: &[u8]) -> Result<String, CaseError> {
        let mut case = Case::new(Description::parse(description)?, self.files.clone())?;
        for one in &self.lent {
            let lender = Description::parse(&one.lender)?;
            case.lend(&one.name, &lender, one.bytes.clone())?;
        }
        Ok(judge(&case)?.to_json().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_judged_and_a_damaged_one_is_an_error() {
        let mut files = Files::new();
        files.add("report.bin".to_owned(), b"ab".to_vec());
        let judged = files.judge(br#"{"kind": "snp-synthetic", "files": {"report.bin": {}}}"#);
        assert!(judged.contains("report-malformed"), "{judged}");
        let judged = files.judge(br#"{"kind": "snp-synthetic", "files": {"other.bin": {}}}"#);
        assert!(judged.starts_with("{\"error\""), "{judged}");
    }
}

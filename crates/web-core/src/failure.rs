//! What went wrong, for programs and for people.

use wasm_bindgen::prelude::wasm_bindgen;

/// Something was not accepted. Nothing of a person's text is in it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Failure {
    code: String,
    message: String,
    report: Option<String>,
    conflict: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: &str, message: &(impl ToString + ?Sized)) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_string(),
            report: None,
            conflict: None,
        }
    }

    /// With the whole appraisal, so that it can be shown.
    pub(crate) fn with_report(mut self, report: String) -> Self {
        self.report = Some(report);
        self
    }

    /// With two signed notes of a log that contradict each other.
    pub(crate) fn with_conflict(mut self, conflict: String) -> Self {
        self.conflict = Some(conflict);
        self
    }
}

#[wasm_bindgen]
impl Failure {
    /// The stable code (spec/errors.md, spec/verdicts.md, spec/history.md §8).
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn code(&self) -> String {
        self.code.clone()
    }

    /// The reason in words.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn message(&self) -> String {
        self.message.clone()
    }

    /// The appraisal as JSON (spec/verdicts.md), where a node was judged.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn report(&self) -> Option<String> {
        self.report.clone()
    }

    /// Two signed notes of a log that contradict each other, as JSON with `seen` and `refused`: what an auditor asks for.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn conflict(&self) -> Option<String> {
        self.conflict.clone()
    }
}

impl From<subrosa_vault::HistoryError> for Failure {
    fn from(error: subrosa_vault::HistoryError) -> Self {
        Self::new(error.code(), &error)
    }
}

//! Evidence of one platform judged on its own.
//!
//! [`crate::appraise`] judges what a service shows for the key it wants messages
//! sealed to. Here there is no key, no bundle and no proof: a piece of evidence
//! is compared with what the caller demands of it, and the outcome is good for a
//! person or a log. It never becomes an [`crate::Attested`], so nothing is sealed
//! to anybody because of it.

use serde::Serialize;
use serde_json::{Value, json};

use super::check::{Recorder, Row};
use super::render::row_json;
use super::{Code, Gap, Group, Origin, verdict};
use crate::time::UnixSeconds;

/// What came of judging one piece of evidence; `C` is what the evidence says.
#[derive(Clone, Debug)]
pub struct EvidenceAppraisal<C> {
    groups: Vec<Group>,
    rows: Vec<Row>,
    claims: Option<C>,
    at: UnixSeconds,
}

impl<C> EvidenceAppraisal<C> {
    pub(crate) fn new(recorder: Recorder, claims: Option<C>, at: UnixSeconds) -> Self {
        let (groups, rows) = recorder.finish();
        Self {
            groups,
            rows,
            claims,
            at,
        }
    }

    /// What came of every check, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The claims, if every check that must pass did.
    ///
    /// # Errors
    ///
    /// The code of the first failed check; `required-check-not-run` if none
    /// failed and one that must run did not.
    pub fn verdict(&self) -> Result<&C, Code> {
        match verdict::refusal(&self.groups, &self.rows, Origin::Vendor) {
            Some(code) => Err(code),
            None => self.claims.as_ref().ok_or(Code::RequiredCheckNotRun),
        }
    }

    /// What was not checked although the verdict is not a refusal.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        verdict::gaps(&self.rows, &[])
    }

    /// What the evidence says, once its signature is verified. The claims of
    /// refused evidence are good for an explanation and for nothing else.
    #[must_use]
    pub fn claims(&self) -> Option<&C> {
        self.claims.as_ref()
    }

    /// The time of the appraisal.
    #[must_use]
    pub fn at(&self) -> UnixSeconds {
        self.at
    }
}

impl<C: Serialize> EvidenceAppraisal<C> {
    /// The appraisal as JSON: `spec/verdicts.md`, section "One piece of evidence".
    #[must_use]
    pub fn to_json(&self) -> Value {
        let code = self.verdict().err();
        json!({
            "verdict": if code.is_none() { "accept" } else { "reject" },
            "code": code.map(Code::as_str),
            "at": self.at.get(),
            "gaps": self.gaps().iter().map(Gap::as_str).collect::<Vec<_>>(),
            "checks": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "claims": self.claims,
        })
    }
}

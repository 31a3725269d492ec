//! What came of a case.

use serde::Serialize;
use serde_json::{Value, json};
use subrosa_attest::appraisal::Gap;
use subrosa_attest::{Code, EvidenceAppraisal};

/// Accepted or not, and what the evidence says.
#[derive(Clone, Debug)]
pub struct Judgement {
    code: Option<Code>,
    claims: Value,
    gaps: Vec<String>,
}

impl Judgement {
    /// What an appraisal comes to.
    pub(crate) fn of<C: Serialize>(appraisal: &EvidenceAppraisal<C>) -> Self {
        Self {
            code: appraisal.verdict().err(),
            claims: json!(appraisal.claims()),
            gaps: appraisal
                .gaps()
                .iter()
                .map(|gap| gap.as_str().to_owned())
                .collect(),
        }
    }

    /// Accepted without an appraisal, for what proves nothing by itself.
    pub(crate) fn accepted(claims: Value) -> Self {
        Self {
            code: None,
            claims,
            gaps: Vec::new(),
        }
    }

    /// A refusal before any appraisal.
    pub(crate) fn refused(code: Code) -> Self {
        Self {
            code: Some(code),
            claims: Value::Null,
            gaps: Vec::new(),
        }
    }

    /// Evidence of a kind that cannot be verified.
    pub(crate) fn unsupported() -> Self {
        Self::refused(Code::UnsupportedPlatform)
    }

    /// The same, refused for `code` if it was accepted.
    pub(crate) fn unless(mut self, holds: bool, code: Code) -> Self {
        if !holds && self.code.is_none() {
            self.code = Some(code);
        }
        self
    }

    /// The same with the name of something more that was not checked.
    pub(crate) fn with_gap(mut self, gap: &Gap) -> Self {
        self.gaps.push(gap.as_str().to_owned());
        self
    }

    /// The same with other claims, if there are any.
    pub(crate) fn map_claims(mut self, change: impl FnOnce(&mut Value) -> Value) -> Self {
        if !self.claims.is_null() {
            self.claims = change(&mut self.claims);
        }
        self
    }

    /// Accepted if each part is; `None` if there is none. The claims are by the parts' names.
    pub(crate) fn of_all(parts: Vec<(String, Self)>) -> Option<Self> {
        parts.first()?;
        let code = parts.iter().find_map(|(_, part)| part.code);
        let mut gaps = Vec::new();
        let mut claims = serde_json::Map::new();
        for (name, part) in parts {
            gaps.extend(part.gaps);
            claims.insert(name, part.claims);
        }
        Some(Self {
            code,
            claims: claims.into(),
            gaps,
        })
    }

    /// Whether the evidence is accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.code.is_none()
    }

    /// Why it is not.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// What the evidence says, by the names of its specification; null where its
    /// signature was not verified.
    #[must_use]
    pub fn claims(&self) -> &Value {
        &self.claims
    }

    /// Names of what was not checked.
    #[must_use]
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// `{"verdict": …, "code": …, "claims": {…}}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "verdict": if self.is_accepted() { "accept" } else { "reject" },
            "code": self.code.map(Code::as_str),
            "claims": if self.claims.is_null() { &EMPTY } else { &self.claims },
        })
    }
}

static EMPTY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({}));

//! Verdicts in one line, as people see them.

use subrosa_attest::{Appraisal, Verdict};

/// The verdict in one line of ASCII, such as `VERIFIED WITH GAPS: checkpoint-absent` or
/// `NOT PROTECTED (development): simulated platform`.
#[must_use]
pub fn verdict_line(appraisal: &Appraisal) -> String {
    match appraisal.verdict() {
        Verdict::NotProtectedDevelopment => NOT_PROTECTED.to_owned(),
        Verdict::Refused(code) => refused_line(code.as_str()),
        Verdict::Verified => "VERIFIED".to_owned(),
        Verdict::VerifiedWithGaps(gaps) => {
            let gaps: Vec<_> = gaps.iter().map(ToString::to_string).collect();
            format!("VERIFIED WITH GAPS: {}", gaps.join(", "))
        }
    }
}

pub(crate) fn refused_line(code: &str) -> String {
    format!("REFUSED: {code}")
}

/// The whole line for simulated evidence.
pub(crate) const NOT_PROTECTED: &str = "NOT PROTECTED (development): simulated platform";

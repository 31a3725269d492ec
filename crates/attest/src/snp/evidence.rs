//! A report with its certificates, judged on its own.

use super::anchors::Anchors;
use super::claims::Claims;
use super::rules::Rules;
use super::{KeyKind, checks};
use crate::appraisal::check::{Check, Group, Recorder};
use crate::appraisal::{Code, EvidenceAppraisal};
use crate::identifiers::{Measurement, ReportData};
use crate::policy::Policy;
use crate::time::UnixSeconds;

/// An SEV-SNP report and what is needed to verify it, all unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct SnpEvidence<'a> {
    /// The attestation report, raw.
    pub report: &'a [u8],
    /// Which kind of key `leaf` certifies.
    pub kind: KeyKind,
    /// VCEK or VLEK certificate, DER.
    pub leaf: &'a [u8],
    /// ASK or ASVK certificate, DER.
    pub intermediate: &'a [u8],
    /// ARK certificate, DER.
    pub root: &'a [u8],
    /// The root's revocation list, DER.
    pub revocation_list: Option<&'a [u8]>,
}

/// What the caller demands of a report beyond the [`Rules`].
#[derive(Clone, Debug, Default)]
pub struct Demands {
    report_data: Option<ReportData>,
    measurements: Option<Vec<Measurement>>,
}

impl Demands {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The report must carry these 64 bytes.
    #[must_use]
    pub fn report_data(mut self, expected: ReportData) -> Self {
        self.report_data = Some(expected);
        self
    }

    /// The program must be one of these; none of an empty list.
    #[must_use]
    pub fn measurements(mut self, allowed: Vec<Measurement>) -> Self {
        self.measurements = Some(allowed);
        self
    }
}

/// Judges a report on its own, as of `now`.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(
    evidence: &SnpEvidence<'_>,
    rules: &Rules,
    demands: &Demands,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(&[Group::Snp]);
    let policy = Policy {
        snp: rules.clone(),
        ..Policy::strict_default()
    };
    let claims = checks::verify(evidence, &policy, anchors, now, &mut recorder);
    if let Some(claims) = &claims {
        check_demands(claims, demands, &mut recorder);
    }
    EvidenceAppraisal::new(recorder, claims, now)
}

fn check_demands(claims: &Claims, demands: &Demands, recorder: &mut Recorder) {
    if let Some(expected) = demands.report_data {
        recorder.compare(
            Check::ReportData,
            expected == claims.report_data,
            Code::ReportDataMismatch,
            expected.to_string(),
            claims.report_data.to_string(),
        );
    }
    if let Some(allowed) = &demands.measurements {
        recorder.compare(
            Check::Measurement,
            allowed.contains(&claims.measurement),
            Code::MeasurementNotAllowed,
            crate::appraisal::list(allowed.iter()),
            claims.measurement.to_string(),
        );
    }
}

#[cfg(test)]
mod tests;

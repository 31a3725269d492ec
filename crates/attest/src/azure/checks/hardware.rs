//! The hardware behind the paravisor, and what it is bound to.

use subtle::ConstantTimeEq;

use super::super::anchors::Anchors;
use super::super::hcl::{HclReport, ReportKind};
use super::super::rules::Rules;
use super::super::{Evidence, Hardware, SnpEndorsement, TdxEndorsement};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, SNP_GROUNDS};
use crate::bundle::SnpEvidence;
use crate::dcap::{Body, Collateral, Quote};
use crate::identifiers::Measurement;
use crate::policy::Policy;
use crate::time::UnixSeconds;
use crate::tpm::Requirement;
use crate::{snp, tdx};

/// A verified report of the hardware.
#[derive(Clone, Debug)]
pub(in super::super) enum Verified {
    Snp(Box<snp::Claims>),
    Tdx(Box<tdx::Claims>),
}

impl Verified {
    /// What the hardware started: the paravisor.
    pub(super) fn measurement(&self) -> &Measurement {
        match self {
            Self::Snp(claims) => claims.measurement(),
            Self::Tdx(claims) => claims.measurement(),
        }
    }

    /// The rows on which it rests that the hardware excludes the host.
    pub(super) fn grounds(&self) -> &'static [Check] {
        match self {
            Self::Snp(_) => &SNP_GROUNDS,
            Self::Tdx(_) => &TDX_GROUNDS,
        }
    }
}

const TDX_GROUNDS: [Check; 8] = [
    Check::QuoteCertificates,
    Check::AttestationKey,
    Check::QuoteSignature,
    Check::QuotedTd,
    Check::TdxModule,
    Check::TdAttributes,
    Check::TdDebug,
    Check::TdMigration,
];

/// The hardware report names the digest of the runtime data, then zeros; and so
/// does the quote that was made of a TDREPORT.
pub(super) fn check_binding(
    evidence: &Evidence<'_>,
    report: &HclReport<'_>,
    recorder: &mut Recorder,
) {
    let expected = report.expected_report_data();
    let mut compare = |found: &[u8]| {
        recorder.compare(
            Check::AzureBinding,
            bool::from(expected[..].ct_eq(found)),
            Code::ReportDataMismatch,
            hex::encode(expected),
            hex::encode(found),
        );
    };
    compare(report.claimed_report_data());
    if let Some(Hardware::Tdx(endorsement)) = &evidence.hardware {
        compare(&quoted_report_data(endorsement).unwrap_or_default());
    }
}

/// The report data in the quote, which is not verified here.
pub(in super::super) fn quoted_report_data(endorsement: &TdxEndorsement<'_>) -> Option<Vec<u8>> {
    match Quote::parse(without_padding(endorsement.quote)).ok()?.body {
        Body::Td(report) => Some(report.report_data.to_vec()),
        Body::Enclave(_) => None,
    }
}

/// Azure's service hands out a buffer of a fixed size, filled with zeros. Other
/// bytes behind the quote are left for its reader to refuse.
fn without_padding(buffer: &[u8]) -> &[u8] {
    tdx::quote_length(buffer)
        .and_then(|length| buffer.split_at_checked(length))
        .filter(|(_, rest)| rest.iter().all(|&byte| byte == 0))
        .map_or(buffer, |(quote, _)| quote)
}

pub(super) fn verify(
    evidence: &Evidence<'_>,
    report: &HclReport<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Verified> {
    let check = Check::AzureHardware;
    match (&evidence.hardware, report.kind) {
        (Some(Hardware::Snp(endorsement)), ReportKind::Snp) => {
            let claims = verify_snp(endorsement, report, rules, anchors, now, recorder)?;
            recorder.pass(check, "SEV-SNP");
            Some(Verified::Snp(Box::new(claims)))
        }
        (Some(Hardware::Tdx(endorsement)), ReportKind::Tdx) => match endorsement.collateral {
            Some(collateral) => {
                let quote = endorsement.quote;
                let claims = verify_tdx(quote, collateral, rules, anchors, now, recorder)?;
                recorder.pass(check, "TDX");
                Some(Verified::Tdx(Box::new(claims)))
            }
            None => not_endorsed(rules, recorder),
        },
        (Some(_), kind) => {
            recorder.fail(check, Code::ProductMismatch, kind.as_str());
            None
        }
        (None, _) => not_endorsed(rules, recorder),
    }
}

fn not_endorsed(rules: &Rules, recorder: &mut Recorder) -> Option<Verified> {
    let check = Check::AzureHardware;
    if rules.hardware == Requirement::Required {
        recorder.fail(check, Code::EvidenceMissing, "nothing endorses it");
    } else {
        recorder.gap(check, Gap::HardwareReportNotVerified);
    }
    None
}

fn verify_snp(
    endorsement: &SnpEndorsement<'_>,
    report: &HclReport<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<snp::Claims> {
    let evidence = SnpEvidence {
        report: report.hardware_report(),
        kind: endorsement.kind,
        leaf: endorsement.leaf,
        intermediate: endorsement.intermediate,
        root: endorsement.root,
        revocation_list: endorsement.revocation_list,
    };
    let policy = Policy {
        snp: rules.snp.clone(),
        weakened: rules.weakened.clone(),
        ..Policy::strict_default()
    };
    snp::checks::verify(&evidence, &policy, &anchors.snp, now, recorder)
}

fn verify_tdx(
    quote: &[u8],
    collateral: Collateral<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<tdx::Claims> {
    let evidence = tdx::Evidence {
        quote: without_padding(quote),
        pck_chain: None,
        collateral,
        event_log: None,
    };
    tdx::verify(&evidence, &rules.tdx, &anchors.tdx, now, recorder)
}

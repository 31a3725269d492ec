//! TDX behind a paravisor.

use super::super::fixtures::{Pieces, Setup, tpm_rules};
use super::super::*;
use super::excludes_host;
use crate::appraisal::{Code, Gap};
use crate::dcap::fixtures::{Kind, Material, Setup as TdxSetup};
use crate::fixtures::NOW;
use crate::identifiers::Measurement;
use crate::tpm::Requirement;
use crate::tpm::fixtures::NONCE;

/// Offsets in the body of a quote: MRTD and REPORTDATA.
const MR_TD: usize = 136;
const REPORT_DATA: usize = 520;

/// A machine whose quote carries the digest of its runtime data, after `edit`.
struct Machine {
    setup: Setup,
    tdx: TdxSetup,
}

impl Machine {
    fn new(edit: impl FnOnce(TdxSetup) -> TdxSetup) -> Self {
        let setup = Setup::new().with(|setup| setup.data_header[1] = 4);
        let report = setup.pieces().report;
        let report_data = &report[32 + 128..][..64];
        let tdx = TdxSetup::new(Kind::Td4)
            .body_field(REPORT_DATA, report_data)
            .body_field(MR_TD, &[0x7D; 48]);
        let rules = Rules::strict()
            .paravisors(&[Measurement::new([0x7D; 48])])
            .tpm(tpm_rules().nonce(NONCE));
        Self {
            setup: setup.with(|setup| setup.rules = rules),
            tdx: edit(tdx),
        }
    }

    fn judge(&self, edit: impl FnOnce(&mut Material)) -> EvidenceAppraisal<Claims> {
        let mut material = self.tdx.material();
        edit(&mut material);
        self.judge_with(&material.quote, Some(material.collateral()))
    }

    fn judge_with(
        &self,
        quote: &[u8],
        collateral: Option<Collateral<'_>>,
    ) -> EvidenceAppraisal<Claims> {
        let Pieces {
            report,
            message,
            signature,
            ..
        } = self.setup.pieces();
        let evidence = Evidence {
            report: &report,
            hardware: Some(Hardware::Tdx(TdxEndorsement { quote, collateral })),
            quote: Some(Quote {
                message: &message,
                signature: QuoteSignature::RsassaSha256(&signature),
                public: None,
                certificates: None,
                values: Some(crate::tpm::fixtures::values(0..=7)),
                event_log: None,
            }),
        };
        let anchors = Anchors::vendor().with_tdx(self.tdx.anchors());
        appraise(&evidence, &self.setup.rules, &anchors, NOW)
    }
}

#[test]
fn a_good_trust_domain_is_accepted_and_excludes_the_host() {
    let appraisal = Machine::new(|tdx| tdx).judge(|_| ());
    let claims = appraisal.verdict().unwrap();
    let paravisor = Measurement::new([0x7D; 48]);
    assert_eq!(claims.tdx().unwrap().measurement(), &paravisor);
    assert!(excludes_host(&appraisal));
}

#[test]
fn the_quote_may_be_followed_by_zeros_and_nothing_else() {
    let machine = Machine::new(|tdx| tdx);
    let padded = machine.judge(|material| material.quote.extend([0; 900]));
    assert!(padded.verdict().is_ok());
    let other = machine.judge(|material| material.quote.extend([0, 0, 1]));
    assert!(other.verdict().is_err());
}

#[test]
fn the_quote_of_another_trust_domain_is_refused() {
    for at in [0, 31, 32, 63] {
        let machine = Machine::new(|tdx| {
            let found = tdx.body[REPORT_DATA + at] ^ 1;
            tdx.body_field(REPORT_DATA + at, &[found])
        });
        let code = machine.judge(|_| ()).verdict().map(|_| ());
        assert_eq!(code, Err(Code::ReportDataMismatch), "{at}");
    }
}

#[test]
fn the_rules_for_the_hardware_apply() {
    let other = Machine::new(|tdx| tdx.body_field(MR_TD, &[0; 48]));
    let refused = other.judge(|_| ());
    let code = Code::MeasurementNotAllowed;
    assert_eq!(refused.verdict().unwrap_err(), code);
    assert!(!excludes_host(&refused));
    // TD_ATTRIBUTES: DEBUG.
    let debug = Machine::new(|tdx| tdx.body_field(120, &[1]));
    let refused = debug.judge(|_| ());
    assert_eq!(refused.verdict().unwrap_err(), Code::GuestDebugAllowed);
    assert!(!excludes_host(&refused));
}

#[test]
fn a_quote_that_is_not_signed_by_its_platform_is_refused() {
    let machine = Machine::new(|tdx| tdx);
    let mut material = machine.tdx.material();
    // The measurement, after the header.
    material.quote[48 + MR_TD] ^= 1;
    let refused = machine.judge_with(&material.quote, Some(material.collateral()));
    assert!(refused.verdict().is_err());
    assert!(refused.claims().is_none_or(|claims| claims.tdx().is_none()));
    assert!(!excludes_host(&refused));
}

/// The parts must fit together even where nothing endorses them.
#[test]
fn a_quote_without_collateral_is_refused_or_a_gap() {
    let machine = Machine::new(|tdx| tdx);
    let quote = machine.tdx.quote();
    let code = machine.judge_with(&quote, None).verdict().map(|_| ());
    assert_eq!(code, Err(Code::EvidenceMissing));
    let lenient = |mut machine: Machine| {
        let rules = machine.setup.rules.clone();
        machine.setup.rules = rules.hardware(Requirement::IfPresent).any_paravisor();
        machine
    };
    let appraisal = lenient(machine).judge_with(&quote, None);
    assert!(appraisal.verdict().unwrap().tdx().is_none());
    for gap in [Gap::HardwareReportNotVerified, Gap::HostNotExcluded] {
        assert!(appraisal.gaps().contains(&gap), "{gap}");
    }
    let other = lenient(Machine::new(|tdx| tdx.body_field(REPORT_DATA, &[0; 64])));
    let code = other
        .judge_with(&other.tdx.quote(), None)
        .verdict()
        .map(|_| ());
    assert_eq!(code, Err(Code::ReportDataMismatch));
    let none = other.judge_with(b"", None).verdict().map(|_| ());
    assert_eq!(none, Err(Code::ReportDataMismatch));
}

//! A node in an Azure confidential VM on TDX.

use super::super::{Appraisal, Code, Gap, Outcome, Roots, Row, Verdict, appraise};
use super::azure::{Node, boots};
use super::tdx::{REPORT_DATA, collateral};
use crate::azure;
use crate::bundle::{AzureEvidence, AzureHardware, Bundle, BundleError};
use crate::dcap::fixtures::{Kind, Setup as Quote};
use crate::fixtures::{KEY_CONFIGURATION, Setup};
use crate::policy::Policy;

/// Offsets in the body of a quote: TDATTRIBUTES and MRTD.
const TD_ATTRIBUTES: usize = 120;
const MR_TD: usize = 136;
const PARAVISOR: [u8; 48] = [0x7D; 48];

/// A machine whose paravisor reports TDX, and the quote of its hardware.
struct Domain {
    node: Node,
    quote: Quote,
}

impl Domain {
    fn new() -> Self {
        let mut node = Node::new();
        node.machine.data_header[1] = 4;
        let (report, _) = node.parts();
        let report_data = &report[32 + 128..][..64];
        let quote = Quote::new(Kind::Td4)
            .body_field(REPORT_DATA, report_data)
            .body_field(MR_TD, &PARAVISOR);
        Self { node, quote }
    }

    fn quoting(self, edit: impl FnOnce(Quote) -> Quote) -> Self {
        Self {
            quote: edit(self.quote),
            ..self
        }
    }

    fn built(&self, quote: &[u8], collateral: &[u8]) -> Result<Bundle, BundleError> {
        let (report, tpm) = self.node.parts();
        Bundle::builder(KEY_CONFIGURATION)
            .azure(AzureEvidence {
                report: &report,
                hardware: AzureHardware::Tdx { quote, collateral },
            })
            .tpm_evidence(tpm)
            .build()
    }

    fn roots(&self) -> Roots {
        Roots {
            azure: azure::Anchors::vendor().with_tdx(self.quote.anchors()),
            ..Roots::vendor()
        }
    }

    fn judge(&self, policy: &str) -> Appraisal {
        let material = self.quote.material();
        let bundle = self.built(&material.quote, &collateral(&material));
        self.judge_bundle(&bundle.unwrap(), policy)
    }

    fn judge_bundle(&self, bundle: &Bundle, policy: &str) -> Appraisal {
        let policy = Policy::parse(policy).unwrap();
        appraise(bundle, &policy, &self.roots(), self.quote.now)
    }

    fn refusal(&self) -> Code {
        let appraisal = self.judge(&policy());
        appraisal.into_attested().unwrap_err().code()
    }
}

fn policy() -> String {
    let text = crate::fixtures::policy("").replace(
        "platforms = [\"sev-snp\"]",
        "platforms = [\"azure-intel-tdx\"]",
    );
    let paravisor = hex::encode(PARAVISOR);
    format!(
        "{text}\n[[measurements]]\nname = \"paravisor\"\nplatform = \"azure-intel-tdx\"\nparavisor = \"{paravisor}\"\n{}",
        boots()
    )
}

#[test]
fn a_good_trust_domain_is_verified_with_the_gaps_of_its_platform() {
    let appraisal = Domain::new().judge(&policy());
    let Verdict::VerifiedWithGaps(gaps) = appraisal.verdict() else {
        panic!("{}", appraisal.human_text());
    };
    assert!(gaps.contains(&Gap::TpmKeyNotCertified));
    assert!(!gaps.contains(&Gap::HostNotExcluded));
    let json = appraisal.to_json();
    let facts = &json["submods"]["node"]["subrosa.facts"];
    assert_eq!(facts["platform"], "azure-intel-tdx");
    assert_eq!(facts["measurement"]["paravisor"], hex::encode(PARAVISOR));
    assert!(appraisal.into_attested().is_ok());
}

#[test]
fn the_quote_of_another_machine_is_refused() {
    for at in [0, 31, 32, 63] {
        let domain = Domain::new().quoting(|quote| {
            let found = quote.body[REPORT_DATA + at] ^ 1;
            quote.body_field(REPORT_DATA + at, &[found])
        });
        assert_eq!(domain.refusal(), Code::ReportDataMismatch, "{at}");
    }
}

#[test]
fn a_paravisor_that_is_listed_for_another_platform_is_refused() {
    let other = Domain::new().quoting(|quote| quote.body_field(MR_TD, &[1; 48]));
    assert_eq!(other.refusal(), Code::MeasurementNotAllowed);
    let domain = Domain::new();
    let elsewhere = policy().replace(
        "platform = \"azure-intel-tdx\"",
        "platform = \"azure-sev-snp\"",
    );
    let appraisal = domain.judge(&elsewhere);
    let code = appraisal.into_attested().unwrap_err().code();
    assert!(
        matches!(
            code,
            Code::MeasurementNotAllowed | Code::ReferenceValuesEmpty
        ),
        "{code}"
    );
}

#[test]
fn the_rules_for_the_hardware_apply() {
    let debug = Domain::new().quoting(|quote| quote.body_field(TD_ATTRIBUTES, &[1]));
    assert_eq!(debug.refusal(), Code::GuestDebugAllowed);
}

#[test]
fn a_quote_that_its_platform_did_not_sign_is_refused() {
    let domain = Domain::new();
    let mut material = domain.quote.material();
    // The measurement, after the header.
    material.quote[48 + MR_TD] ^= 1;
    let bundle = domain.built(&material.quote, &collateral(&material));
    let appraisal = domain.judge_bundle(&bundle.unwrap(), &policy());
    assert!(appraisal.into_attested().is_err());
}

#[test]
fn what_is_no_collateral_is_refused() {
    let domain = Domain::new();
    let bundle = domain.built(&domain.quote.quote(), b"{}").unwrap();
    let verdict = domain.judge_bundle(&bundle, &policy()).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::CollateralMalformed));
}

#[test]
fn a_report_of_another_processor_is_not_endorsed() {
    let mut domain = Domain::new();
    domain.node.machine.data_header[1] = 2;
    let (report, _) = domain.node.parts();
    // The quote names the digest of the same runtime data.
    let report_data = report[32 + 80..][..64].to_vec();
    let domain = domain.quoting(|quote| quote.body_field(REPORT_DATA, &report_data));
    assert_eq!(domain.refusal(), Code::ProductMismatch);
}

#[test]
fn only_the_vendors_root_stands_behind_a_trust_domain() {
    let domain = Domain::new();
    let material = domain.quote.material();
    let bundle = domain.built(&material.quote, &collateral(&material));
    let bundle = bundle.unwrap();
    let policy = Policy::parse(&policy()).unwrap();
    for roots in [Roots::vendor(), Roots::simulated(Setup::new().anchors())] {
        let appraisal = appraise(&bundle, &policy, &roots, domain.quote.now);
        let code = Code::RootNotPinned;
        let failed = |row: &Row| row.outcome() == &Outcome::Fail { code };
        assert!(appraisal.rows().iter().any(failed));
        assert!(appraisal.into_attested().is_err());
    }
}

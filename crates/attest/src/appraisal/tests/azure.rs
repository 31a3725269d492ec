//! A node in an Azure confidential VM.

use super::super::{Appraisal, Code, Gap, Roots, Verdict, appraise};
use crate::azure::fixtures::{Setup as Machine, jwk};
use crate::azure::{self, SnpEndorsement};
use crate::binding;
use crate::bundle::tpm::Quote;
use crate::bundle::{AzureEvidence, AzureHardware, Builder, Bundle, BundleError, Label};
use crate::fixtures::pki::TestKey;
use crate::fixtures::{KEY_CONFIGURATION, Keys, MEASUREMENT, NOW, Setup};
use crate::policy::Policy;
use crate::tpm::RegisterValues;
use crate::tpm::fixtures::{self, SHA256, digest_of, sign};

/// A machine, and what its virtual TPM's registers hold.
pub(super) struct Node {
    pub(super) machine: Machine,
    pub(super) values: RegisterValues,
    bound_to: [u8; 32],
}

impl Node {
    pub(super) fn new() -> Self {
        Self {
            machine: Machine::new(),
            values: registers(),
            bound_to: binding::short_report_data(KEY_CONFIGURATION, None, None),
        }
    }

    fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Report of the paravisor, and the parts of the quote.
    pub(super) fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let mut draft = self.machine.quote.clone();
        draft.nonce = self.bound_to.to_vec();
        draft.selections = vec![(SHA256, SELECTION.to_vec())];
        draft.digest = digest_of(&self.values);
        let message = draft.bytes();
        let quote = Quote {
            message: &message,
            signature: &sign(&self.machine.key, &message),
            public: &[],
            values: listed(&self.values),
            certificates: Vec::new(),
        };
        (self.machine.pieces().report, quote.encode())
    }

    pub(super) fn bundle(&self) -> Bundle {
        let (report, quote) = self.parts();
        bundle_of(self, &report, &quote)
    }

    fn appraise(&self, policy: &str) -> Appraisal {
        judge(&self.bundle(), policy)
    }

    fn refusal(&self) -> Code {
        let appraisal = self.appraise(&policy());
        appraisal.into_attested().unwrap_err().code()
    }
}

/// Firmware and image quoted: 0 to 7, 9, 11, 12 and 13.
pub(super) const SELECTION: [u8; 3] = [0xFF, 0x3A, 0];

/// What a good image leaves behind: nothing in 12 and 13.
pub(super) fn registers() -> RegisterValues {
    let measured = fixtures::values((0..=7).chain([9, 11]));
    measured.with(12, &[0; 32]).with(13, &[0; 32])
}

pub(super) fn listed(values: &RegisterValues) -> Vec<(u8, &[u8])> {
    let value = |number| Some((number, values.get(number)?));
    (0..24).filter_map(value).collect()
}

fn bundle_of(node: &Node, report: &[u8], quote: &[u8]) -> Bundle {
    builder_of(node, report, quote).build().unwrap()
}

fn builder_of(node: &Node, report: &[u8], quote: &[u8]) -> Builder {
    let signed = node.machine.snp.signed();
    Bundle::builder(KEY_CONFIGURATION)
        .azure(AzureEvidence {
            report,
            hardware: AzureHardware::Snp(SnpEndorsement {
                kind: node.machine.snp.kind,
                leaf: &signed.vcek,
                intermediate: &signed.ask,
                root: &signed.ark,
                revocation_list: Some(&signed.revocation_list),
            }),
        })
        .tpm_evidence(quote)
}

/// `[[boots]]` that lists the good image.
pub(super) fn boots() -> String {
    let value = |number| hex::encode(fixtures::value(number));
    format!(
        "\n[[boots]]\nname = \"image\"\npcr4 = \"{}\"\npcr9 = \"{}\"\npcr11 = \"{}\"\n",
        value(4),
        value(9),
        value(11)
    )
}

fn policy_without_boots() -> String {
    let text = crate::fixtures::policy("").replace(
        "platforms = [\"sev-snp\"]",
        "platforms = [\"azure-sev-snp\"]",
    );
    format!(
        "{text}\n[[measurements]]\nname = \"paravisor\"\nplatform = \"azure-sev-snp\"\nparavisor = \"{MEASUREMENT}\"\n"
    )
}

pub(super) fn policy() -> String {
    policy_without_boots() + &boots()
}

pub(super) fn roots() -> Roots {
    let snp = Setup::new().anchors();
    Roots {
        azure: azure::Anchors::vendor().with_snp(snp),
        ..Roots::vendor()
    }
}

fn judge(bundle: &Bundle, policy: &str) -> Appraisal {
    appraise(bundle, &Policy::parse(policy).unwrap(), &roots(), NOW)
}

#[test]
fn a_good_machine_is_verified_with_the_gaps_of_its_platform() {
    let appraisal = Node::new().appraise(&policy());
    let Verdict::VerifiedWithGaps(gaps) = appraisal.verdict() else {
        panic!("{}", appraisal.human_text());
    };
    assert!(gaps.contains(&Gap::TpmKeyNotCertified));
    assert!(!gaps.contains(&Gap::HostNotExcluded));
    let json = appraisal.to_json();
    let facts = &json["submods"]["node"]["subrosa.facts"];
    assert_eq!(facts["platform"], "azure-sev-snp");
    assert_eq!(facts["measurement"]["paravisor"], MEASUREMENT.to_string());
    let machine = appraisal.facts().unwrap().machine();
    assert_eq!(machine, Setup::new().appraise().facts().unwrap().machine());
    assert!(appraisal.into_attested().is_ok());
}

#[test]
fn a_quote_for_another_key_is_refused() {
    let other = Node::new().with(|node| {
        node.bound_to = binding::short_report_data(b"another key", None, None);
    });
    assert_eq!(other.refusal(), Code::NonceMismatch);
    let checkpoint = Node::new().with(|node| {
        node.bound_to = binding::short_report_data(KEY_CONFIGURATION, Some(b"cp"), None);
    });
    assert_eq!(checkpoint.refusal(), Code::NonceMismatch);
}

#[test]
fn each_register_of_the_image_must_be_the_listed_one() {
    for number in [4, 9, 11, 12, 13] {
        let node = Node::new().with(|node| {
            node.values = registers().with(number, &fixtures::value(99));
        });
        assert_eq!(node.refusal(), Code::MeasurementNotAllowed, "{number}");
    }
    // The registers of two images are those of none.
    let first = boots();
    let second = first.replace("\"image\"", "\"second\"");
    let swap = |text: &str, number| {
        text.replace(
            &hex::encode(fixtures::value(number)),
            &hex::encode(fixtures::value(99)),
        )
    };
    let lists = policy_without_boots() + &swap(&first, 4) + &swap(&second, 9);
    let appraisal = Node::new().appraise(&lists);
    assert_eq!(
        appraisal.verdict(),
        Verdict::Refused(Code::MeasurementNotAllowed)
    );
}

#[test]
fn each_register_of_firmware_and_image_must_be_quoted() {
    for (byte, bit, number) in [
        (0, 0, 0),
        (0, 7, 7),
        (1, 1, 9),
        (1, 3, 11),
        (1, 4, 12),
        (1, 5, 13),
    ] {
        let mut selection = SELECTION;
        selection[byte] &= !(1 << bit);
        let node = Node::new();
        let values = (0..24)
            .filter(|&other| other != number)
            .filter_map(|other| Some((other, node.values.get(other)?)))
            .fold(RegisterValues::new(), |values, (other, value)| {
                values.with(other, value)
            });
        let mut draft = node.machine.quote.clone();
        draft.nonce = node.bound_to.to_vec();
        draft.selections = vec![(SHA256, selection.to_vec())];
        draft.digest = digest_of(&values);
        let message = draft.bytes();
        let quote = Quote {
            message: &message,
            signature: &sign(&node.machine.key, &message),
            public: &[],
            values: listed(&values),
            certificates: Vec::new(),
        };
        let (report, _) = node.parts();
        let appraisal = judge(&bundle_of(&node, &report, &quote.encode()), &policy());
        let refused = appraisal.into_attested().unwrap_err().code();
        assert_eq!(refused, Code::PcrSelectionIncomplete, "{number}");
    }
}

#[test]
fn a_paravisor_or_image_that_nobody_lists_is_refused() {
    let other = policy().replace(&MEASUREMENT.to_string(), &"ab".repeat(48));
    let refused = |policy: &str| {
        let appraisal = Node::new().appraise(policy);
        appraisal.into_attested().unwrap_err().code()
    };
    assert_eq!(refused(&other), Code::MeasurementNotAllowed);
    assert_eq!(refused(&policy_without_boots()), Code::ReferenceValuesEmpty);
    let elsewhere = policy().replace(
        "platforms = [\"azure-sev-snp\"]",
        "platforms = [\"sev-snp\"]",
    );
    assert_eq!(refused(&elsewhere), Code::PlatformNotAllowed);
}

/// Each piece taken from another good machine.
#[test]
fn no_piece_of_another_machine_takes_the_place_of_its_own() {
    let own = Node::new();
    let other = Node::new().with(|node| {
        node.machine.runtime["keys"][0] = jwk("HCLAkPub", &TestKey::rsa_pss());
    });
    let (own_report, own_quote) = own.parts();
    let (other_report, _) = other.parts();
    let refused = |report: &[u8], quote: &[u8]| {
        let appraisal = judge(&bundle_of(&own, report, quote), &policy());
        appraisal
            .into_attested()
            .map(drop)
            .map_err(|refused| refused.code())
    };
    assert_eq!(refused(&own_report, &own_quote), Ok(()));
    // Its runtime data name another key than the one that signed the quote.
    assert_eq!(
        refused(&other_report, &own_quote),
        Err(Code::ReportSignature)
    );
    // A report that the processor of the certificates did not sign.
    let stranger = Node::new().with(|node| {
        node.machine.snp.report_key = Keys::other_vcek();
    });
    let (stranger_report, _) = stranger.parts();
    assert_eq!(
        refused(&stranger_report, &own_quote),
        Err(Code::ReportSignature)
    );
}

#[test]
fn what_is_no_quote_is_refused() {
    let node = Node::new();
    let (report, _) = node.parts();
    let appraisal = judge(&bundle_of(&node, &report, b"quote"), &policy());
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::ReportMalformed));
}

#[test]
fn an_event_log_that_is_none_is_refused() {
    let node = Node::new();
    let (report, quote) = node.parts();
    let bundle = builder_of(&node, &report, &quote).tpm_event_log(b"log");
    let appraisal = judge(&bundle.build().unwrap(), &policy());
    let code = Code::EventLogMalformed;
    assert_eq!(appraisal.verdict(), Verdict::Refused(code));
}

#[test]
fn only_the_vendors_root_stands_behind_a_machine() {
    let bundle = Node::new().bundle();
    let policy = Policy::parse(&policy()).unwrap();
    for roots in [
        Roots::vendor(),
        // A simulated processor is none of Azure's.
        Roots::simulated(Setup::new().anchors()),
    ] {
        let verdict = appraise(&bundle, &policy, &roots, NOW).verdict();
        assert_eq!(verdict, Verdict::Refused(Code::RootNotPinned));
    }
}

#[test]
fn a_bundle_holds_all_parts_of_a_machine_and_none_of_another_kind() {
    let node = Node::new();
    let (report, quote) = node.parts();
    let signed = node.machine.snp.signed();
    let azure = || {
        Bundle::builder(KEY_CONFIGURATION).azure(AzureEvidence {
            report: &report,
            hardware: AzureHardware::Snp(SnpEndorsement {
                kind: node.machine.snp.kind,
                leaf: &signed.vcek,
                intermediate: &signed.ask,
                root: &signed.ark,
                revocation_list: None,
            }),
        })
    };
    assert!(azure().tpm_evidence(quote.clone()).build().is_ok());
    let missing = BundleError::Missing {
        label: Label::TpmEvidence,
    };
    assert_eq!(azure().build(), Err(missing));
    let conflict = |built: Result<Bundle, BundleError>, part| {
        assert!(
            matches!(&built, Err(BundleError::Conflict { label, .. }) if *label == part),
            "{built:?}"
        );
    };
    let both = Setup::new().bundle();
    let snp = both.snp().unwrap();
    let with_report = Bundle::builder(KEY_CONFIGURATION)
        .snp(snp)
        .tpm_evidence(quote.clone());
    assert!(with_report.build().is_ok());
    let mixed = azure().tpm_evidence(quote.clone());
    let mixed = mixed.with(Label::SnpReport, snp.report);
    conflict(mixed.build(), Label::SnpReport);
    let enclave = Bundle::builder(KEY_CONFIGURATION)
        .nitro(crate::nitro::Evidence { document: b"d" })
        .tpm_evidence(quote);
    conflict(enclave.build(), Label::TpmEvidence);
    let log = Bundle::builder(KEY_CONFIGURATION)
        .snp(snp)
        .tpm_event_log(b"log");
    let missing = BundleError::Missing {
        label: Label::TpmEvidence,
    };
    assert_eq!(log.build(), Err(missing));
}

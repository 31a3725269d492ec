//! A TPM beside the processor of a node.

use super::super::{Appraisal, Code, Gap, Roots, Verdict, appraise};
use super::azure::{SELECTION, boots, listed, registers};
use crate::binding;
use crate::bundle::Bundle;
use crate::bundle::tpm::Quote;
use crate::fixtures::{KEY_CONFIGURATION, Keys, NOW, Setup};
use crate::tpm::fixtures::{SHA256, Setup as Tpm, digest_of, public, sign, value};
use crate::tpm::{Anchors, RegisterValues};

/// A TPM, and what is written into the evidence.
pub(super) struct Quoted {
    pub(super) tpm: Tpm,
    nonce: [u8; 32],
    values: RegisterValues,
    certified: bool,
}

impl Quoted {
    pub(super) fn new() -> Self {
        Self {
            tpm: Tpm::new(),
            nonce: binding::tpm_nonce(KEY_CONFIGURATION, None),
            values: registers(),
            certified: true,
        }
    }

    fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    pub(super) fn evidence(&self) -> Vec<u8> {
        let mut draft = self.tpm.quote.clone();
        draft.nonce = self.nonce.to_vec();
        draft.selections = vec![(SHA256, SELECTION.to_vec())];
        draft.digest = digest_of(&self.values);
        let message = draft.bytes();
        let certificates = self.tpm.certificates();
        let quote = Quote {
            message: &message,
            signature: &sign(&self.tpm.key, &message),
            public: &public(&self.tpm.key, self.tpm.attributes),
            values: listed(&self.values),
            certificates: certificates
                .iter()
                .filter(|_| self.certified)
                .map(Vec::as_slice)
                .collect(),
        };
        quote.encode()
    }

    pub(super) fn node(&self) -> Setup {
        Setup::new().with(|setup| {
            setup.tpm_evidence = Some(self.evidence());
            setup.policy.push_str(&boots());
        })
    }

    fn appraise(&self) -> Appraisal {
        judge(&self.node(), &self.tpm)
    }

    fn refusal(&self) -> Code {
        self.appraise().into_attested().unwrap_err().code()
    }
}

fn judge(node: &Setup, tpm: &Tpm) -> Appraisal {
    let roots = Roots {
        tpm: tpm.anchors(),
        ..node.roots()
    };
    appraise(&node.bundle(), &node.policy(), &roots, NOW)
}

fn gaps(appraisal: &Appraisal) -> Vec<Gap> {
    match appraisal.verdict() {
        Verdict::VerifiedWithGaps(gaps) => gaps,
        _ => panic!("{}", appraisal.human_text()),
    }
}

#[test]
fn a_good_quote_beside_a_good_report_leaves_no_gap_but_revocation() {
    let with = gaps(&Quoted::new().appraise());
    let without = gaps(&Setup::new().appraise());
    let added: Vec<_> = with.iter().filter(|gap| !without.contains(gap)).collect();
    assert_eq!(added, [&Gap::RevocationNotChecked]);
}

#[test]
fn a_quote_can_neither_be_dropped_nor_added_nor_exchanged() {
    let tpm = Tpm::new();
    let own = Quoted::new();
    let node = own.node();
    let report = node.report_bytes();
    let other = Quoted::new().with(|quoted| quoted.certified = false);
    for evidence in [None, Some(other.evidence())] {
        let swapped = own.node().with(|setup| setup.tpm_evidence = evidence);
        let bundle = swapped.bundle_of(&swapped.signed(), &report);
        let roots = Roots {
            tpm: tpm.anchors(),
            ..node.roots()
        };
        let verdict = appraise(&bundle, &node.policy(), &roots, NOW).verdict();
        assert_eq!(verdict, Verdict::Refused(Code::ReportDataMismatch));
    }
    // The report of a node without a TPM does not take one.
    let without = Setup::new().report_bytes();
    let bundle = node.bundle_of(&node.signed(), &without);
    let roots = Roots {
        tpm: tpm.anchors(),
        ..node.roots()
    };
    let verdict = appraise(&bundle, &node.policy(), &roots, NOW).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReportDataMismatch));
}

#[test]
fn a_quote_for_another_key_or_checkpoint_is_refused() {
    for nonce in [
        binding::tpm_nonce(b"another key", None),
        binding::tpm_nonce(KEY_CONFIGURATION, Some(b"cp")),
        binding::short_report_data(KEY_CONFIGURATION, None, None),
    ] {
        let other = Quoted::new().with(|quoted| quoted.nonce = nonce);
        assert_eq!(other.refusal(), Code::NonceMismatch);
    }
}

#[test]
fn an_image_that_is_not_listed_is_refused_and_without_a_list_there_is_a_gap() {
    for number in [4, 9, 11, 12, 13] {
        let other = Quoted::new().with(|quoted| {
            quoted.values = registers().with(number, &value(99));
        });
        assert_eq!(other.refusal(), Code::MeasurementNotAllowed, "{number}");
    }
    let quoted = Quoted::new();
    let node = Setup::new().with(|setup| setup.tpm_evidence = Some(quoted.evidence()));
    assert!(gaps(&judge(&node, &quoted.tpm)).contains(&Gap::BootNotCompared));
}

#[test]
fn an_event_log_that_is_none_is_refused() {
    let quoted = Quoted::new();
    let node = quoted.node();
    let with_log = |log: Option<&[u8]>| {
        let bundle = node.bundle();
        let mut builder = Bundle::builder(KEY_CONFIGURATION)
            .snp(bundle.snp().unwrap())
            .tpm_evidence(bundle.tpm_evidence().unwrap());
        if let Some(log) = log {
            builder = builder.tpm_event_log(log);
        }
        let roots = Roots {
            tpm: quoted.tpm.anchors(),
            ..node.roots()
        };
        let appraisal = appraise(&builder.build().unwrap(), &node.policy(), &roots, NOW);
        appraisal
            .into_attested()
            .map(drop)
            .map_err(|refused| refused.code())
    };
    assert_eq!(with_log(None), Ok(()));
    assert_eq!(with_log(Some(b"log")), Err(Code::EventLogMalformed));
}

#[test]
fn a_key_without_certificates_is_a_gap_and_one_of_another_root_a_refusal() {
    let uncertified = Quoted::new().with(|quoted| quoted.certified = false);
    assert!(gaps(&uncertified.appraise()).contains(&Gap::TpmKeyNotCertified));
    let node = Quoted::new().node();
    let roots = Roots {
        tpm: Anchors::vendor(),
        ..node.roots()
    };
    let verdict = appraise(&node.bundle(), &node.policy(), &roots, NOW).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::RootNotPinned));
}

#[test]
fn a_policy_can_insist_on_a_tpm() {
    let insist = |setup: &mut Setup| {
        setup.policy = format!("required = [\"tpm-evidence\"]\n{}", setup.policy);
    };
    let without = Setup::new().with(insist);
    assert_eq!(without.refusal(), Ok(Code::EvidenceMissing));
    let quoted = Quoted::new();
    let with = judge(&quoted.node().with(insist), &quoted.tpm);
    assert!(with.into_attested().is_ok());
}

#[test]
fn a_quote_does_not_exclude_the_host_in_the_place_of_the_processor() {
    let quoted = Quoted::new();
    let node = quoted.node();
    let forged = node.with(|setup| setup.report_key = Keys::other_vcek());
    let verdict = judge(&forged, &quoted.tpm).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReportSignature));
}

//! A TPM alone: a good development node, and never more.

use super::super::{Appraisal, Code, Origin, Presented, Roots, Verdict, appraise, appraise_up_to};
use super::azure::{SELECTION, boots, listed, registers};
use crate::binding;
use crate::bundle::tpm::Quote;
use crate::bundle::{Builder, Bundle};
use crate::development::{self, DevelopmentRoot};
use crate::fixtures::{KEY_CONFIGURATION, NOW, Setup};
use crate::policy::Policy;
use crate::tpm::RegisterValues;
use crate::tpm::fixtures::{SHA256, Setup as Tpm, digest_of, public, sign, value};

/// A node with nothing but a TPM, and a device that names that TPM.
struct Node {
    tpm: Tpm,
    nonce: [u8; 32],
    values: RegisterValues,
    attributes: u32,
    policy: String,
}

impl Node {
    fn new() -> Self {
        let tpm = Tpm::new();
        // What a policy says of programs on other platforms does not count here.
        let policy = Setup::new().policy.replace("\"sev-snp\"]", "\"tpm\"]");
        Self {
            attributes: tpm.attributes,
            tpm,
            nonce: binding::short_report_data(KEY_CONFIGURATION, None, None),
            values: registers(),
            policy: format!("{policy}{}", boots()),
        }
    }

    fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    fn evidence(&self) -> Vec<u8> {
        let mut draft = self.tpm.quote.clone();
        draft.nonce = self.nonce.to_vec();
        draft.selections = vec![(SHA256, SELECTION.to_vec())];
        draft.digest = digest_of(&self.values);
        let message = draft.bytes();
        let quote = Quote {
            message: &message,
            signature: &sign(&self.tpm.key, &message),
            public: &public(&self.tpm.key, self.attributes),
            values: listed(&self.values),
            certificates: Vec::new(),
        };
        quote.encode()
    }

    fn bundle(&self) -> Bundle {
        self.builder().build().unwrap()
    }

    fn builder(&self) -> Builder {
        Bundle::builder(KEY_CONFIGURATION).tpm_evidence(self.evidence())
    }

    fn root(&self) -> DevelopmentRoot {
        DevelopmentRoot::software_tpm(&public(&self.tpm.key, self.tpm.attributes)).unwrap()
    }

    fn appraise(&self) -> Appraisal {
        let policy = Policy::parse(&self.policy).unwrap();
        let roots = self.root().roots();
        appraise_up_to(
            (&self.bundle(), &Presented::default()),
            &policy,
            &roots,
            Origin::Simulated,
            NOW,
        )
    }

    fn refusal(&self) -> Code {
        match self.appraise().verdict() {
            Verdict::Refused(code) => code,
            verdict => panic!("{verdict:?}"),
        }
    }
}

#[test]
fn a_named_tpm_with_a_listed_image_is_a_development_node() {
    let node = Node::new();
    let policy = Policy::parse(&node.policy).unwrap();
    let proof = development::appraise(&node.bundle(), &policy, &node.root(), NOW).unwrap();
    assert_eq!(proof.verdict(), Verdict::NotProtectedDevelopment);
    assert_eq!(proof.facts().platform(), crate::policy::Platform::Tpm);
}

/// Not even with a certificate that leads to a pinned root.
#[test]
fn no_tpm_alone_is_ever_verified() {
    let node = Node::new();
    let policy = Policy::parse(&node.policy).unwrap();
    let message = Quote::parse(&node.evidence()).map(|quote| quote.message.to_vec());
    let message = message.unwrap();
    let certificates = node.tpm.certificates();
    let quote = Quote {
        message: &message,
        signature: &sign(&node.tpm.key, &message),
        public: &public(&node.tpm.key, node.attributes),
        values: listed(&node.values),
        certificates: certificates.iter().map(Vec::as_slice).collect(),
    };
    let bundle = Bundle::builder(KEY_CONFIGURATION).tpm_evidence(quote.encode());
    let roots = Roots {
        tpm: node.tpm.anchors(),
        ..Roots::vendor()
    };
    let appraisal = appraise(&bundle.build().unwrap(), &policy, &roots, NOW);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::HostNotExcluded));
}

#[test]
fn without_a_named_key_a_certificate_is_demanded() {
    let node = Node::new();
    let policy = Policy::parse(&node.policy).unwrap();
    let appraisal = appraise(&node.bundle(), &policy, &Roots::vendor(), NOW);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::EvidenceMissing));
}

#[test]
fn another_tpm_is_refused() {
    let node = Node::new();
    let policy = Policy::parse(&node.policy).unwrap();
    let other = DevelopmentRoot::software_tpm(&public(
        &crate::fixtures::pki::TestKey::p256(9),
        node.tpm.attributes,
    ));
    let refused = development::appraise(&node.bundle(), &policy, &other.unwrap(), NOW).unwrap_err();
    assert_eq!(refused.code(), Code::AttestationKeyMismatch);
}

#[test]
fn a_quote_for_another_key_or_checkpoint_is_refused() {
    for nonce in [
        binding::short_report_data(b"another key", None, None),
        binding::short_report_data(KEY_CONFIGURATION, Some(b"cp"), None),
        binding::tpm_nonce(KEY_CONFIGURATION, None),
    ] {
        let other = Node::new().with(|node| node.nonce = nonce);
        assert_eq!(other.refusal(), Code::NonceMismatch);
    }
}

#[test]
fn each_register_of_the_image_counts_and_what_a_host_adds() {
    for number in [4, 9, 11, 12, 13] {
        let other = Node::new().with(|node| {
            node.values = registers().with(number, &value(99));
        });
        assert_eq!(other.refusal(), Code::MeasurementNotAllowed, "{number}");
    }
}

#[test]
fn a_key_that_signs_anything_is_refused() {
    // TPMA_OBJECT: without `restricted`.
    let other = Node::new().with(|node| node.attributes &= !(1 << 16));
    assert_eq!(other.refusal(), Code::AttestationKeyNotRestricted);
}

#[test]
fn a_policy_without_images_or_without_the_platform_accepts_nothing() {
    let without = Node::new().with(|node| node.policy = node.policy.replace(&boots(), ""));
    assert_eq!(without.refusal(), Code::ReferenceValuesEmpty);
    let other = Node::new().with(|node| {
        node.policy = node.policy.replace("[\"tpm\"]", "[\"sev-snp\"]");
    });
    assert_eq!(other.refusal(), Code::PlatformNotAllowed);
}

#[test]
fn what_is_no_quote_is_refused() {
    let node = Node::new();
    let policy = Policy::parse(&node.policy).unwrap();
    let bundle = Bundle::builder(KEY_CONFIGURATION).tpm_evidence(b"quote".as_slice());
    let refused = development::appraise(&bundle.build().unwrap(), &policy, &node.root(), NOW);
    assert_eq!(refused.unwrap_err().code(), Code::ReportMalformed);
}

#[test]
fn a_measurement_is_not_listed_for_a_tpm_alone() {
    let text = format!(
        "{}\n[[measurements]]\nname = \"x\"\nplatform = \"tpm\"\n",
        Node::new().policy
    );
    assert!(Policy::parse(&text).is_err());
}

#[test]
fn the_root_file_of_a_tpm_is_read_as_it_was_written() {
    let root = Node::new().root();
    let text = root.to_public_file();
    assert_eq!(DevelopmentRoot::from_public_file(&text).unwrap(), root);
    for (from, to) in [("\"kind\"", "\"sort\""), ("public/1", "public/2")] {
        let other = text.replace(from, to);
        assert!(DevelopmentRoot::from_public_file(&other).is_err(), "{from}");
    }
    assert!(DevelopmentRoot::software_tpm(b"key").is_err());
}

//! A TPM for tests: all good until a test spoils one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests"
)]

use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256};

use super::{
    Anchors, AttestationKey, Claims, Evidence, KeyCertificates, QuoteSignature, RegisterValues,
    Rules, appraise,
};
use crate::EvidenceAppraisal;
use crate::appraisal::Code;
use crate::development::certificates::{CertificateDraft, ExtensionDraft};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};

pub(crate) const NONCE: &[u8] = b"a nonce";
pub(crate) const SHA256: u16 = 0x000B;

/// The fields of a `TPMS_ATTEST`, before it is written.
#[derive(Clone, Debug)]
pub(crate) struct QuoteDraft {
    pub(crate) magic: u32,
    pub(crate) kind: u16,
    pub(crate) signer: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) safe: u8,
    pub(crate) selections: Vec<(u16, Vec<u8>)>,
    pub(crate) digest: Vec<u8>,
}

impl QuoteDraft {
    /// Registers 0 to 7 of the SHA-256 bank.
    pub(crate) fn new() -> Self {
        Self {
            magic: 0xFF54_4347,
            kind: 0x8018,
            signer: [&SHA256.to_be_bytes()[..], &[0x11; 32]].concat(),
            nonce: NONCE.to_vec(),
            safe: 1,
            selections: vec![(SHA256, vec![0xFF, 0, 0])],
            digest: digest_of(&values(0..=7)),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.magic.to_be_bytes()[..], &self.kind.to_be_bytes()].concat();
        bytes.extend(sized(&self.signer));
        bytes.extend(sized(&self.nonce));
        bytes.extend(1_234_u64.to_be_bytes());
        bytes.extend(5_u32.to_be_bytes());
        bytes.extend(6_u32.to_be_bytes());
        bytes.push(self.safe);
        bytes.extend(0x2024_u64.to_be_bytes());
        bytes.extend((self.selections.len() as u32).to_be_bytes());
        for (bank, bitmap) in &self.selections {
            bytes.extend(bank.to_be_bytes());
            bytes.push(bitmap.len() as u8);
            bytes.extend(bitmap);
        }
        bytes.extend(sized(&self.digest));
        bytes
    }
}

/// The value of a register in tests.
pub(crate) fn value(register: u8) -> [u8; 32] {
    Sha256::digest([register]).into()
}

pub(crate) fn values(registers: impl IntoIterator<Item = u8>) -> RegisterValues {
    registers
        .into_iter()
        .fold(RegisterValues::new(), |values, register| {
            values.with(register, &value(register))
        })
}

/// The digest that a quote with SHA-256 makes of these values.
pub(crate) fn digest_of(values: &RegisterValues) -> Vec<u8> {
    let all: Vec<u8> = values
        .iter()
        .flat_map(|(_, value)| value.to_vec())
        .collect();
    Sha256::digest(all).to_vec()
}

/// A `TPM2B`.
pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
pub(crate) const ATTRIBUTES: u32 = 0x0005_0072;

/// `TPMT_PUBLIC` of a key, bound to its own scheme with SHA-256.
pub(crate) fn public(key: &TestKey, attributes: u32) -> Vec<u8> {
    let (kind, parameters): (u16, Vec<u8>) = match key {
        TestKey::P256(_) => (0x0023, ecc(key, 3, 32)),
        TestKey::P384(_) => (0x0023, ecc(key, 4, 48)),
        TestKey::RsaPkcs1(private) | TestKey::RsaPss(private) => {
            let modulus = private.to_public_key().n_bytes().to_vec();
            let bits = (modulus.len() * 8) as u16;
            let head = [
                &[0x00, 0x10, 0x00, 0x14, 0x00, 0x0B][..],
                &bits.to_be_bytes(),
            ]
            .concat();
            (0x0001, [head, vec![0; 4], sized(&modulus)].concat())
        }
    };
    let head = [kind.to_be_bytes(), SHA256.to_be_bytes()].concat();
    [
        head,
        attributes.to_be_bytes().to_vec(),
        sized(&[]),
        parameters,
    ]
    .concat()
}

fn ecc(key: &TestKey, curve: u8, size: usize) -> Vec<u8> {
    let spki = key.spki();
    let point = &spki[spki.len() - 2 * size..];
    let head = vec![0x00, 0x10, 0x00, 0x18, 0x00, 0x0B, 0x00, curve, 0x00, 0x10];
    [head, sized(&point[..size]), sized(&point[size..])].concat()
}

/// `TPMT_SIGNATURE` by a key, with SHA-256.
pub(crate) fn sign(key: &TestKey, message: &[u8]) -> Vec<u8> {
    match key {
        TestKey::P256(_) => {
            let value = key.sign_fixed(message);
            let head = vec![0x00, 0x18, 0x00, 0x0B];
            [head, sized(&value[..32]), sized(&value[32..])].concat()
        }
        TestKey::RsaPkcs1(_) => [vec![0x00, 0x14, 0x00, 0x0B], sized(&key.sign(message))].concat(),
        _ => panic!("signs with SHA-384"),
    }
}

/// A certificate for attestation keys.
pub(crate) fn key_draft(issuer: &str, key: &TestKey) -> CertificateDraft {
    let mut draft = leaf_draft("attestation key", issuer, key);
    // ExtKeyUsageSyntax { tcg-kp-AIKCertificate }.
    let usage = [0x30, 0x07, 0x06, 0x05, 0x67, 0x81, 0x05, 0x08, 0x03];
    draft
        .extensions
        .push(ExtensionDraft::new("2.5.29.37", false, usage));
    draft
}

/// Everything an appraisal needs.
pub(crate) struct Setup {
    pub(crate) key: TestKey,
    pub(crate) attributes: u32,
    pub(crate) quote: QuoteDraft,
    pub(crate) values: Option<RegisterValues>,
    pub(crate) event_log: Option<Vec<u8>>,
    pub(crate) leaf: CertificateDraft,
    pub(crate) intermediate: CertificateDraft,
    pub(crate) root: CertificateDraft,
    pub(crate) rules: Rules,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let key = TestKey::p256(1);
        Self {
            attributes: ATTRIBUTES,
            quote: QuoteDraft::new(),
            values: Some(values(0..=7)),
            event_log: None,
            leaf: key_draft("intermediate", &key),
            intermediate: authority_draft("intermediate", "root", &TestKey::p256(2)),
            root: authority_draft("root", "root", &TestKey::p256(3)),
            rules: Rules::default().nonce(NONCE),
            key,
        }
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Leaf, intermediate and root, DER.
    pub(crate) fn certificates(&self) -> [Vec<u8>; 3] {
        [
            TestKey::p256(2).certify(&self.leaf),
            TestKey::p256(3).certify(&self.intermediate),
            TestKey::p256(3).certify(&self.root),
        ]
    }

    pub(crate) fn anchors(&self) -> Anchors {
        Anchors::with_root(&self.certificates()[2]).unwrap()
    }

    pub(crate) fn appraise(&self) -> EvidenceAppraisal<Claims> {
        self.appraise_edited(|_| ())
    }

    /// Judges the evidence after `edit` has changed the finished bytes.
    pub(crate) fn appraise_edited(
        &self,
        edit: impl FnOnce(&mut Pieces),
    ) -> EvidenceAppraisal<Claims> {
        let quote = self.quote.bytes();
        let mut pieces = Pieces {
            signature: sign(&self.key, &quote),
            quote,
            public: public(&self.key, self.attributes),
            certificates: Some(self.certificates()),
        };
        edit(&mut pieces);
        pieces.appraise(self)
    }

    pub(crate) fn code(&self) -> Option<Code> {
        self.appraise().verdict().err()
    }
}

/// The finished bytes.
#[derive(Clone)]
pub(crate) struct Pieces {
    pub(crate) quote: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) public: Vec<u8>,
    pub(crate) certificates: Option<[Vec<u8>; 3]>,
}

impl Pieces {
    pub(crate) fn appraise(&self, setup: &Setup) -> EvidenceAppraisal<Claims> {
        let evidence = Evidence {
            quote: &self.quote,
            signature: QuoteSignature::Structure(&self.signature),
            key: AttestationKey::Public(&self.public),
            certificates: self
                .certificates
                .as_ref()
                .map(|[leaf, intermediate, root]| KeyCertificates {
                    leaf,
                    authorities: vec![root, intermediate],
                }),
            values: setup.values.clone(),
            event_log: setup.event_log.as_deref(),
        };
        appraise(&evidence, &setup.rules, &setup.anchors(), NOW)
    }
}

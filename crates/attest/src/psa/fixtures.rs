//! A device: all good until a test spoils one thing.

use super::{Anchors, Claims, Evidence, Rules, appraise};
use crate::appraisal::{Code, EvidenceAppraisal};
use crate::fixtures::NOW;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::TestKey;

pub(super) const NONCE: [u8; 32] = [0x5A; 32];
pub(super) const SEED: [u8; 32] = [0x5E; 32];
pub(super) const IMPLEMENTATION: [u8; 32] = [0x1F; 32];
pub(super) const INSTANCE: [u8; 33] = {
    let mut id = [0x22; 33];
    id[0] = 1;
    id
};

/// Everything a token is made of.
pub(super) struct Setup {
    /// Labels and encoded values.
    pub(super) claims: Vec<(i64, Vec<u8>)>,
    pub(super) envelope: Envelope,
    pub(super) rules: Rules,
    pub(super) anchors: Anchors,
}

impl Setup {
    pub(super) fn new() -> Self {
        let key = TestKey::p256(1);
        Self {
            claims: vec![
                (265, cbor::text("tag:psacertified.org,2023:psa#tfm")),
                (10, cbor::bytes(&NONCE)),
                (256, cbor::bytes(&INSTANCE)),
                (2394, cbor::integer(-7)),
                (2395, cbor::unsigned(0x3000)),
                (2396, cbor::bytes(&IMPLEMENTATION)),
                (2397, cbor::bytes(&SEED)),
                (2398, cbor::text("1234567890123-12345")),
                (2399, cbor::array(&[component(true)])),
                (2400, cbor::text("https://example.org")),
            ],
            anchors: Anchors::with_key(&key.spki()).unwrap(),
            envelope: Envelope::new(key),
            rules: Rules::strict(),
        }
    }

    /// A token with the labels of before 2022, and rules that accept it.
    pub(super) fn old() -> Self {
        let mut setup = Self::new();
        setup.claims = vec![
            (-75000, cbor::text("PSA_IOT_PROFILE_1")),
            (-75008, cbor::bytes(&NONCE)),
            (-75009, cbor::bytes(&INSTANCE)),
            (-75001, cbor::integer(2)),
            (-75002, cbor::unsigned(0x3000)),
            (-75003, cbor::bytes(&IMPLEMENTATION)),
            (-75004, cbor::bytes(&SEED)),
            (-75005, cbor::text("1234567890123")),
            (-75006, cbor::array(&[component(false)])),
            (-75010, cbor::text("https://example.org")),
        ];
        setup.rules = Rules::strict().old_claims_accepted(true);
        setup
    }

    pub(super) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    pub(super) fn claim(mut self, label: i64, value: Vec<u8>) -> Self {
        match self.claims.iter_mut().find(|(other, _)| *other == label) {
            Some(claim) => claim.1 = value,
            None => self.claims.push((label, value)),
        }
        self
    }

    pub(super) fn without(mut self, label: i64) -> Self {
        self.claims.retain(|(other, _)| *other != label);
        self
    }

    pub(super) fn token(&self) -> Vec<u8> {
        self.envelope.seal(&cbor::claims(&self.claims))
    }

    pub(super) fn judge(&self, token: &[u8]) -> EvidenceAppraisal<Claims> {
        appraise(&Evidence { token }, &self.rules, &self.anchors, NOW)
    }

    pub(super) fn appraise(&self) -> EvidenceAppraisal<Claims> {
        self.judge(&self.token())
    }

    pub(super) fn refusal(&self) -> Option<Code> {
        self.appraise().verdict().err()
    }
}

pub(super) fn component(with_signer: bool) -> Vec<u8> {
    let mut attributes = vec![(1, cbor::text("BL")), (2, cbor::bytes(&[0x33; 32]))];
    if with_signer {
        attributes.push((5, cbor::bytes(&[0x44; 32])));
    }
    cbor::claims(&attributes)
}

//! A platform and a realm: all good until a test spoils one thing.

use super::{Anchors, Claims, Evidence, Rules, appraise};
use crate::appraisal::{Code, EvidenceAppraisal};
use crate::fixtures::NOW;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::TestKey;
use crate::signature::Hash;

pub(super) const CHALLENGE: [u8; 64] = [0x5A; 64];
pub(super) const IMPLEMENTATION: [u8; 32] = [0x1F; 32];
pub(super) const INSTANCE: [u8; 33] = {
    let mut id = [0x22; 33];
    id[0] = 1;
    id
};

/// How the token is put together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Collection,
    Records,
}

/// Everything a token is made of.
pub(super) struct Setup {
    /// Labels and encoded values; 10 of the platform is added unless it is here.
    pub(super) platform: Vec<(i64, Vec<u8>)>,
    pub(super) realm: Vec<(i64, Vec<u8>)>,
    pub(super) platform_envelope: Envelope,
    pub(super) realm_envelope: Envelope,
    pub(super) shape: Shape,
    pub(super) rules: Rules,
    pub(super) anchors: Anchors,
    /// The realm's key as it stands in its token.
    pub(super) realm_key: Vec<u8>,
}

impl Setup {
    pub(super) fn new() -> Self {
        let (platform_key, realm_key) = (TestKey::p384(1), TestKey::p384(2));
        let component = cbor::claims(&[
            (1, cbor::text("BL")),
            (2, cbor::bytes(&[0x33; 32])),
            (5, cbor::bytes(&[0x44; 32])),
        ]);
        let measurements = [1, 2, 3, 4].map(|value| cbor::bytes(&[value; 32]));
        let encoded_key = cose_key(&realm_key);
        Self {
            platform: vec![
                (265, cbor::text("tag:arm.com,2023:cca_platform#1.0.0")),
                (2396, cbor::bytes(&IMPLEMENTATION)),
                (256, cbor::bytes(&INSTANCE)),
                (2401, cbor::bytes(b"cfg")),
                (2395, cbor::unsigned(0x3003)),
                (2399, cbor::array(&[component])),
                (2402, cbor::text("sha-256")),
                (2400, cbor::text("https://example.org")),
            ],
            realm: vec![
                (265, cbor::text("tag:arm.com,2023:realm#1.0.0")),
                (10, cbor::bytes(&CHALLENGE)),
                (44235, cbor::bytes(&[7; 64])),
                (44238, cbor::bytes(&[0x11; 32])),
                (44239, cbor::array(&measurements)),
                (44236, cbor::text("sha-256")),
                (44240, cbor::text("sha-256")),
                (44237, cbor::bytes(&encoded_key)),
            ],
            anchors: Anchors::with_key(&platform_key.spki()).unwrap(),
            platform_envelope: Envelope::new(platform_key),
            realm_envelope: Envelope::new(realm_key),
            shape: Shape::Collection,
            rules: Rules::strict(),
            realm_key: encoded_key,
        }
    }

    pub(super) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    pub(super) fn platform_claim(mut self, label: i64, value: Vec<u8>) -> Self {
        set(&mut self.platform, label, value);
        self
    }

    pub(super) fn realm_claim(mut self, label: i64, value: Vec<u8>) -> Self {
        set(&mut self.realm, label, value);
        self
    }

    /// A realm with this key, in this encoding.
    pub(super) fn realm_key(self, signer: TestKey, encoded: Vec<u8>) -> Self {
        let value = cbor::bytes(&encoded);
        self.realm_claim(44237, value).with(|setup| {
            setup.realm_envelope = Envelope::new(signer);
            setup.realm_key = encoded;
        })
    }

    pub(super) fn platform_token(&self) -> Vec<u8> {
        let mut claims = self.platform.clone();
        if claims.iter().all(|(label, _)| *label != 10) {
            let hash = Hash::Sha256.digest(&self.realm_key);
            claims.push((10, cbor::bytes(&hash)));
        }
        self.platform_envelope.seal(&cbor::claims(&claims))
    }

    pub(super) fn realm_token(&self) -> Vec<u8> {
        self.realm_envelope.seal(&cbor::claims(&self.realm))
    }

    pub(super) fn token(&self) -> Vec<u8> {
        collect(self.shape, &self.platform_token(), &self.realm_token())
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

fn set(claims: &mut Vec<(i64, Vec<u8>)>, label: i64, value: Vec<u8>) {
    match claims.iter_mut().find(|(other, _)| *other == label) {
        Some(claim) => claim.1 = value,
        None => claims.push((label, value)),
    }
}

pub(super) fn collect(shape: Shape, platform: &[u8], realm: &[u8]) -> Vec<u8> {
    let part = |token: &[u8]| match shape {
        Shape::Collection => cbor::bytes(token),
        Shape::Records => cbor::array(&[cbor::unsigned(263), cbor::bytes(token)]),
    };
    let tag = match shape {
        Shape::Collection => 399,
        Shape::Records => 907,
    };
    let parts = [(44234, part(platform)), (44241, part(realm))];
    cbor::tagged(tag, &cbor::claims(&parts))
}

/// The point of a key, uncompressed.
pub(super) fn point(key: &TestKey) -> Vec<u8> {
    let length = match key {
        TestKey::P256(_) => 65,
        _ => 97,
    };
    let spki = key.spki();
    spki.last_chunk::<97>()
        .map(<[u8; 97]>::as_slice)
        .or(Some(spki.as_slice()))
        .and_then(|tail| tail.rchunks(length).next())
        .unwrap()
        .to_vec()
}

/// A key as `COSE_Key`.
pub(super) fn cose_key(key: &TestKey) -> Vec<u8> {
    let point = point(key);
    let (x, y) = point.split_first().unwrap().1.split_at(point.len() / 2);
    let curve = if x.len() == 32 { 1 } else { 2 };
    cbor::claims(&[
        (1, cbor::integer(2)),
        (-1, cbor::integer(curve)),
        (-2, cbor::bytes(x)),
        (-3, cbor::bytes(y)),
    ])
}

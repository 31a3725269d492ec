//! A hypervisor with an authority of its own: all good until a test spoils one
//! thing.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::{Anchors, Claims, Evidence, Rules, appraise};
use crate::appraisal::{Code, EvidenceAppraisal};
use crate::development::certificates::CertificateDraft;
use crate::fixtures::NOW;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};
use crate::time::UnixSeconds;

pub(crate) const NONCE: &[u8] = b"a nonce";
pub(crate) const USER_DATA: &[u8] = b"user data";
pub(crate) const PUBLIC_KEY: &[u8] = b"a public key";

/// Everything a document is made of. The first register holds `[1; 48]` and so on.
pub(crate) struct Setup {
    pub(crate) leaf: CertificateDraft,
    pub(crate) middle: CertificateDraft,
    pub(crate) root: CertificateDraft,
    /// Names and encoded values, in order.
    pub(crate) fields: Vec<(&'static str, Vec<u8>)>,
    pub(crate) registers: Vec<(i64, Vec<u8>)>,
    pub(crate) envelope: Envelope,
    pub(crate) rules: Rules,
    pub(crate) now: UnixSeconds,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let (leaf, middle, root) = (TestKey::p384(1), TestKey::p384(2), TestKey::p384(3));
        Self {
            leaf: leaf_draft("leaf", "middle", &leaf),
            middle: authority_draft("middle", "root", &middle),
            root: authority_draft("root", "root", &root),
            fields: vec![
                ("module_id", cbor::text("i-0-enc0")),
                ("digest", cbor::text("SHA384")),
                ("timestamp", cbor::unsigned(NOW.get() * 1000 + 999)),
                ("public_key", cbor::bytes(PUBLIC_KEY)),
                ("user_data", cbor::bytes(USER_DATA)),
                ("nonce", cbor::bytes(NONCE)),
            ],
            registers: (0..16)
                .map(|index| (index, cbor::bytes(&[u8::try_from(index + 1).unwrap(); 48])))
                .collect(),
            envelope: Envelope::new(leaf),
            rules: Rules::strict(),
            now: NOW,
        }
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Sets a field, which comes last if it is new.
    pub(crate) fn field(mut self, name: &'static str, value: Vec<u8>) -> Self {
        match self.fields.iter_mut().find(|(other, _)| *other == name) {
            Some(field) => field.1 = value,
            None => self.fields.push((name, value)),
        }
        self
    }

    /// Root first.
    pub(crate) fn authorities(&self) -> Vec<Vec<u8>> {
        let root = TestKey::p384(3);
        vec![root.certify(&self.root), root.certify(&self.middle)]
    }

    pub(crate) fn certificate(&self) -> Vec<u8> {
        TestKey::p384(2).certify(&self.leaf)
    }

    /// The fields with those that are not set by a test.
    pub(crate) fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let authorities: Vec<_> = self
            .authorities()
            .iter()
            .map(|certificate| cbor::bytes(certificate))
            .collect();
        let others = [
            ("pcrs", cbor::claims(&self.registers)),
            ("certificate", cbor::bytes(&self.certificate())),
            ("cabundle", cbor::array(&authorities)),
        ];
        let others = others
            .into_iter()
            .filter(|(name, _)| self.fields.iter().all(|(other, _)| other != name));
        let fields = self.fields.iter().cloned().chain(others);
        fields
            .map(|(name, value)| (cbor::text(name), value))
            .collect()
    }

    pub(crate) fn document(&self) -> Vec<u8> {
        self.envelope.seal(&cbor::map(&self.entries()))
    }

    pub(crate) fn anchors(&self) -> Anchors {
        let root = self.authorities().remove(0);
        Anchors::with_root(&root).unwrap()
    }

    pub(crate) fn judge(&self, document: &[u8]) -> EvidenceAppraisal<Claims> {
        appraise(
            &Evidence { document },
            &self.rules,
            &self.anchors(),
            self.now,
        )
    }

    pub(crate) fn appraise(&self) -> EvidenceAppraisal<Claims> {
        self.judge(&self.document())
    }

    pub(crate) fn refusal(&self) -> Option<Code> {
        self.appraise().verdict().err()
    }
}

//! The keys that tokens of Arm platforms must be signed with.

use crate::identifiers::{ImplementationId, InstanceId};
use crate::signature::PublicKey;

/// Endorsed keys of platforms: CPAK of Arm CCA, IAK of PSA.
///
/// Arm has no root of its own: whoever makes a platform endorses the key of each
/// machine, by its implementation and instance identifiers (RFC 9783, section
/// 5). No maker publishes endorsements that anybody could check, so none are
/// compiled in.
#[derive(Clone, Debug)]
pub struct Anchors(Vec<Endorsement>);

#[derive(Clone, Debug)]
struct Endorsement {
    /// The machine the key is for; `None` is any.
    machine: Option<(ImplementationId, InstanceId)>,
    key: PublicKey,
}

impl Anchors {
    /// The keys that makers of platforms endorse: none today, so that every
    /// token is refused.
    #[must_use]
    pub fn vendor() -> Self {
        Self(Vec::new())
    }

    /// Adds the key of one machine: a `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is no key on P-256 or P-384.
    pub fn endorse(
        mut self,
        implementation: ImplementationId,
        instance: InstanceId,
        public_key: &[u8],
    ) -> Result<Self, KeyError> {
        self.0.push(Endorsement {
            machine: Some((implementation, instance)),
            key: read_key(public_key)?,
        });
        Ok(self)
    }

    /// This key, a `SubjectPublicKeyInfo` in DER, for any machine: to judge
    /// evidence under a test key. Evidence judged so never becomes an
    /// [`crate::Attested`].
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is no key on P-256 or P-384.
    pub fn with_key(public_key: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(vec![Endorsement {
            machine: None,
            key: read_key(public_key)?,
        }]))
    }

    /// The keys endorsed for this machine.
    pub(crate) fn keys_of(
        &self,
        implementation: ImplementationId,
        instance: InstanceId,
    ) -> Vec<&PublicKey> {
        let machine = (implementation, instance);
        self.0
            .iter()
            .filter(|one| one.machine.is_none_or(|endorsed| endorsed == machine))
            .map(|one| &one.key)
            .collect()
    }
}

fn read_key(public_key: &[u8]) -> Result<PublicKey, KeyError> {
    match PublicKey::from_spki(public_key) {
        Some(key @ (PublicKey::P256(_) | PublicKey::P384(_))) => Ok(key),
        _ => Err(KeyError),
    }
}

/// Bytes are no `SubjectPublicKeyInfo` of a key on P-256 or P-384.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a public key on P-256 or P-384")]
#[non_exhaustive]
pub struct KeyError;

//! The certificate chain: ARK (root) → ASK or ASVK → VCEK or VLEK.

use core::fmt;

use x509_cert::name::Name;

use super::anchors::Anchors;
use super::extensions::{EndorsedChip, ExtensionError};
use super::{Product, Tcb};
use crate::identifiers::Sha256Digest;
use crate::signature::{Hash, PublicKey, Scheme};
use crate::time::UnixSeconds;
use crate::x509::path::Links;
use crate::x509::{Certificate, CertificateError};

/// Which kind of key signs reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyKind {
    /// Versioned chip endorsement key: one chip at one firmware level.
    Vcek,
    /// Versioned loaded endorsement key: any chip of one cloud provider.
    Vlek,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vcek => "VCEK",
            Self::Vlek => "VLEK",
        })
    }
}

/// Place of a certificate in the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// ASK or ASVK.
    Intermediate,
    /// VCEK or VLEK.
    Leaf,
    /// ARK.
    Root,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intermediate => "intermediate",
            Self::Leaf => "endorsement key",
            Self::Root => "root",
        })
    }
}

/// Three certificates of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Chain {
    root: Certificate,
    intermediate: Certificate,
    leaf: Certificate,
    kind: KeyKind,
}

impl Chain {
    /// Reads the three certificates, each in DER.
    ///
    /// # Errors
    ///
    /// [`ChainError::Certificate`] names the first that is malformed.
    pub fn parse(
        root: &[u8],
        intermediate: &[u8],
        leaf: &[u8],
        kind: KeyKind,
    ) -> Result<Self, ChainError> {
        let parse = |role, der| {
            let certificate = Certificate::parse(der)
                .map_err(|source| ChainError::Certificate { role, source })?;
            if certificate.scheme() == Scheme::RsaPss(Hash::Sha384) {
                Ok(certificate)
            } else {
                Err(ChainError::Algorithm { role })
            }
        };
        Ok(Self {
            root: parse(Role::Root, root)?,
            intermediate: parse(Role::Intermediate, intermediate)?,
            leaf: parse(Role::Leaf, leaf)?,
            kind,
        })
    }

    /// Checks the chain up to a pinned root, as of `now`.
    ///
    /// # Errors
    ///
    /// [`ChainError`] names the first check that failed and the certificate.
    pub(crate) fn verify(
        &self,
        anchors: &Anchors,
        now: UnixSeconds,
    ) -> Result<VerifiedChain, ChainError> {
        let products = self.check_pins(anchors)?;
        let root_key = rsa_key(&self.root, Role::Root)?;
        let intermediate_key = rsa_key(&self.intermediate, Role::Intermediate)?;
        self.check_authorities()?;
        self.check_names()?;
        let mut links = Links::default();
        for (role, certificate, issuer, issuer_key) in [
            (Role::Root, &self.root, &self.root, &root_key),
            (
                Role::Intermediate,
                &self.intermediate,
                &self.root,
                &root_key,
            ),
            (
                Role::Leaf,
                &self.leaf,
                &self.intermediate,
                &intermediate_key,
            ),
        ] {
            if !links.verify(certificate, issuer, issuer_key) {
                return Err(ChainError::Signature { role });
            }
            check_validity(certificate, role, now)?;
        }
        let chip = EndorsedChip::read(&self.leaf, self.kind).map_err(ChainError::Extension)?;
        if !products.contains(&chip.product) {
            return Err(ChainError::Product {
                endorsed: chip.product,
            });
        }
        let Some(report_key @ PublicKey::P384(_)) = self.leaf.public_key() else {
            return Err(ChainError::Key { role: Role::Leaf });
        };
        Ok(VerifiedChain {
            kind: self.kind,
            report_key,
            chip,
            root_key,
            root_name: self.root.subject().clone(),
            serials: [
                self.root.serial().to_vec(),
                self.intermediate.serial().to_vec(),
            ],
        })
    }

    /// The products that the pinned keys are for.
    fn check_pins(&self, anchors: &Anchors) -> Result<Vec<Product>, ChainError> {
        let digest = |certificate: &Certificate, role| {
            certificate
                .public_key_digest()
                .ok_or(ChainError::Key { role })
        };
        let root = digest(&self.root, Role::Root)?;
        let mut anchors = anchors.by_root(root);
        if anchors.is_empty() {
            return Err(ChainError::RootNotPinned { digest: root });
        }
        let intermediate = digest(&self.intermediate, Role::Intermediate)?;
        anchors.retain(|anchor| anchor.authority(self.kind) == Some(intermediate));
        if anchors.is_empty() {
            return Err(ChainError::IntermediateNotPinned {
                digest: intermediate,
            });
        }
        Ok(anchors.into_iter().map(|anchor| anchor.product).collect())
    }

    fn check_authorities(&self) -> Result<(), ChainError> {
        for (role, right) in [
            (
                Role::Root,
                self.root.is_authority() && self.root.may_sign_revocation_lists(),
            ),
            (Role::Intermediate, self.intermediate.is_authority()),
            (Role::Leaf, self.leaf.is_end_entity()),
        ] {
            if !right {
                return Err(ChainError::Usage { role });
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), ChainError> {
        for (role, certificate, issuer) in [
            (Role::Root, &self.root, &self.root),
            (Role::Intermediate, &self.intermediate, &self.root),
            (Role::Leaf, &self.leaf, &self.intermediate),
        ] {
            if certificate.issuer() != issuer.subject() {
                return Err(ChainError::Issuer { role });
            }
        }
        Ok(())
    }
}

/// A chain that leads to a pinned root. Only [`Chain`]'s verification makes one.
#[derive(Clone, Debug)]
pub struct VerifiedChain {
    kind: KeyKind,
    report_key: PublicKey,
    chip: EndorsedChip,
    root_key: PublicKey,
    root_name: Name,
    serials: [Vec<u8>; 2],
}

impl VerifiedChain {
    /// Which kind of key the leaf certificate endorses.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The product that the leaf certificate names.
    #[must_use]
    pub fn product(&self) -> Product {
        self.chip.product
    }

    /// The firmware level that the leaf key belongs to.
    #[must_use]
    pub fn tcb(&self) -> Tcb {
        self.chip.tcb
    }

    /// The chip that the leaf certificate names; a VLEK names none.
    #[must_use]
    pub fn chip_id(&self) -> Option<&[u8; 64]> {
        self.chip.chip_id.as_ref()
    }

    pub(super) fn report_key(&self) -> &PublicKey {
        &self.report_key
    }

    pub(super) fn root_key(&self) -> &PublicKey {
        &self.root_key
    }

    pub(super) fn root_name(&self) -> &Name {
        &self.root_name
    }

    /// Serial numbers of the certificates the root has issued: its own and the
    /// intermediate's.
    pub(super) fn serials(&self) -> &[Vec<u8>; 2] {
        &self.serials
    }
}

fn rsa_key(certificate: &Certificate, role: Role) -> Result<PublicKey, ChainError> {
    match certificate.public_key() {
        Some(key @ PublicKey::Rsa(_)) => Ok(key),
        _ => Err(ChainError::Key { role }),
    }
}

fn check_validity(
    certificate: &Certificate,
    role: Role,
    now: UnixSeconds,
) -> Result<(), ChainError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now < not_before {
        return Err(ChainError::NotYetValid {
            role,
            not_before,
            now,
        });
    }
    if now > not_after {
        return Err(ChainError::Expired {
            role,
            not_after,
            now,
        });
    }
    Ok(())
}

/// Why a certificate chain was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A certificate is signed in another way than AMD signs.
    #[error("{role} certificate is not signed with RSASSA-PSS and SHA-384")]
    Algorithm {
        /// Which certificate.
        role: Role,
    },

    /// A certificate is malformed.
    #[error("{role} certificate: {source}")]
    Certificate {
        /// Which certificate.
        role: Role,
        /// What is wrong with it.
        source: CertificateError,
    },

    /// A certificate is past its validity.
    #[error("{role} certificate expired at {not_after}, it is {now}")]
    Expired {
        /// Which certificate.
        role: Role,
        /// Last valid second.
        not_after: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// The leaf certificate does not describe a chip.
    #[error(transparent)]
    Extension(ExtensionError),

    /// The intermediate key is not one of those pinned for this root.
    #[error("intermediate key {digest} is not pinned")]
    IntermediateNotPinned {
        /// SHA-256 of the key's `SubjectPublicKeyInfo`.
        digest: Sha256Digest,
    },

    /// A certificate names another issuer than the certificate above it.
    #[error("{role} certificate names another issuer")]
    Issuer {
        /// Which certificate.
        role: Role,
    },

    /// A certificate holds a key of the wrong kind.
    #[error("{role} certificate holds a key of the wrong kind")]
    Key {
        /// Which certificate.
        role: Role,
    },

    /// A certificate is not valid yet.
    #[error("{role} certificate is valid from {not_before}, it is {now}")]
    NotYetValid {
        /// Which certificate.
        role: Role,
        /// First valid second.
        not_before: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// The leaf certificate names another product than its root is for.
    #[error("endorsement key certificate is for {endorsed}, its root is not")]
    Product {
        /// Product in the leaf certificate.
        endorsed: Product,
    },

    /// The root key is not one of those pinned.
    #[error("root key {digest} is not pinned")]
    RootNotPinned {
        /// SHA-256 of the key's `SubjectPublicKeyInfo`.
        digest: Sha256Digest,
    },

    /// A certificate's signature does not verify under the key above it.
    #[error("{role} certificate signature does not verify")]
    Signature {
        /// Which certificate.
        role: Role,
    },

    /// A certificate may not be used for what it is used for.
    #[error("{role} certificate may not be used as {role}")]
    Usage {
        /// Which certificate.
        role: Role,
    },
}

#[cfg(test)]
mod tests;

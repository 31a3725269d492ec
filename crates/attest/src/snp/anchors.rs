//! The keys that everything else must lead back to.
//!
//! AMD publishes its root keys (ARK) and the keys of the intermediate
//! authorities (ASK for VCEKs, ASVK for VLEKs) through its key distribution
//! service (AMD 57230, 58369). They are pinned by the SHA-256 digest of their
//! `SubjectPublicKeyInfo`: certificates may be re-issued, names prove nothing.
//! The first Genoa ASK (serial 0x020001) is revoked and not listed.

use super::{KeyKind, Product};
use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError};

/// Pinned keys of one product.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Anchor {
    pub(crate) product: Product,
    pub(crate) root: Sha256Digest,
    pub(crate) vcek_authority: Sha256Digest,
    pub(crate) vlek_authority: Option<Sha256Digest>,
}

/// The set of pinned keys a chain is judged by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors(Vec<Anchor>);

impl Anchors {
    /// AMD's own keys.
    #[must_use]
    pub fn amd() -> Self {
        Self(AMD.to_vec())
    }

    /// The keys of these two certificates, DER, for whatever product a leaf
    /// certificate names: to judge test evidence under a test root. Evidence
    /// judged so never becomes an [`crate::Attested`].
    ///
    /// # Errors
    ///
    /// [`CertificateError`] of the first that is malformed.
    pub fn of_test_root(root: &[u8], intermediate: &[u8]) -> Result<Self, CertificateError> {
        let digest = |der| {
            Certificate::parse(der)?
                .public_key_digest()
                .ok_or(CertificateError::Format)
        };
        let (root, intermediate) = (digest(root)?, digest(intermediate)?);
        let anchor = |product| Anchor {
            product,
            root,
            vcek_authority: intermediate,
            vlek_authority: Some(intermediate),
        };
        let products = [Product::Milan, Product::Genoa, Product::Turin];
        Ok(Self(products.map(anchor).to_vec()))
    }

    /// The digests of the pinned root keys.
    #[cfg(test)]
    pub(crate) fn roots(&self) -> Vec<Sha256Digest> {
        self.0.iter().map(|anchor| anchor.root).collect()
    }

    /// Keys that are not AMD's.
    #[cfg(any(test, feature = "development"))]
    pub(crate) fn not_amd(anchor: Anchor) -> Self {
        Self(vec![anchor])
    }

    /// The anchors whose root key has this digest: one for each product that the
    /// root is for.
    pub(super) fn by_root(&self, root: Sha256Digest) -> Vec<&Anchor> {
        self.0.iter().filter(|anchor| anchor.root == root).collect()
    }
}

impl Anchor {
    /// The pinned key that must have signed leaf certificates of `kind`.
    pub(super) fn authority(&self, kind: KeyKind) -> Option<Sha256Digest> {
        match kind {
            KeyKind::Vcek => Some(self.vcek_authority),
            KeyKind::Vlek => self.vlek_authority,
        }
    }
}

const AMD: [Anchor; 3] = [
    Anchor {
        product: Product::Milan,
        root: Sha256Digest::of_hex(
            b"9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
        ),
        vcek_authority: Sha256Digest::of_hex(
            b"42491669ccb851d627ea9846cd24eccbeb7de7c2a62740120fff88001d38ebb6",
        ),
        vlek_authority: Some(Sha256Digest::of_hex(
            b"66450a123ea5876206df67f2514a4fea224c0f63b18313423078b0edc4535e33",
        )),
    },
    Anchor {
        product: Product::Genoa,
        root: Sha256Digest::of_hex(
            b"429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
        ),
        vcek_authority: Sha256Digest::of_hex(
            b"0324d55bcd48ba877a8fd87c0e1b4934dec8448e3807a24384a34dc6a6c9ebb8",
        ),
        vlek_authority: Some(Sha256Digest::of_hex(
            b"7d1633252ebbadaa75f96e9b4e6f7d43a90ceb3f843937482630f8da2459264e",
        )),
    },
    Anchor {
        product: Product::Turin,
        root: Sha256Digest::of_hex(
            b"4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
        ),
        vcek_authority: Sha256Digest::of_hex(
            b"0000ead352025f208bf55297c4192c34cd1b878002107366d8f2065a9ae7d3a9",
        ),
        vlek_authority: Some(Sha256Digest::of_hex(
            b"bfc441408b2f806c5dbf180bd8920e6e60dd404d82141780d85dbf962954d386",
        )),
    },
];

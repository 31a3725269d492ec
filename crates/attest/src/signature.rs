//! Signatures of the kinds that evidence and its certificates use.
//!
//! Keys are read once into [`PublicKey`], which holds a point on its curve or an
//! RSA modulus of a sane size; verification then only answers yes or no.
//!
//! Keys and signatures are always read by the same code, in Rust. The arithmetic is
//! Rust too, or with the feature `aws-lc-rs` that library's, which is several times
//! as fast but C and assembly. Tests with the feature hold the two against each
//! other on every signature that any test verifies.

#[cfg(feature = "aws-lc-rs")]
mod native;
mod portable;

use der::Decode;
use der::asn1::{AnyRef, ObjectIdentifier};
#[cfg(feature = "aws-lc-rs")]
use native as backend;
use p384::elliptic_curve::pkcs8::DecodePublicKey;
#[cfg(not(feature = "aws-lc-rs"))]
use portable as backend;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// A hash function of the SHA-2 family (FIPS 180-4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The digest of `message`.
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// How a message was signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// ECDSA; the signature is `SEQUENCE { r, s }` (RFC 3279, section 2.2.3).
    EcdsaDer(Hash),
    /// ECDSA; the signature is r and s, big-endian, each as long as the curve's order.
    EcdsaFixed(Hash),
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS with MGF1 of the same hash and a salt as long as the digest (RFC 8017, section 8.1).
    RsaPss(Hash),
}

/// A key that can verify.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PublicKey {
    /// On NIST P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// On NIST P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// RSA of 2048 to 4096 bits with the exponent 65537.
    Rsa(RsaPublicKey),
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`. `None` if the key is of
    /// another kind, not on its curve, or of a size that is not accepted.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                let key = RsaPublicKey::from_public_key_der(spki).ok()?;
                sane_rsa(key).map(Self::Rsa)
            }
            EC_PUBLIC_KEY => match curve(info.algorithm.parameters)? {
                SECP256R1 => p256::ecdsa::VerifyingKey::from_public_key_der(spki)
                    .ok()
                    .map(Self::P256),
                SECP384R1 => p384::ecdsa::VerifyingKey::from_public_key_der(spki)
                    .ok()
                    .map(Self::P384),
                _ => None,
            },
            _ => None,
        }
    }

    /// A key on P-256 from its point (SEC 1, section 2.3.3).
    pub(crate) fn p256(point: &[u8]) -> Option<Self> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
            .ok()
            .map(Self::P256)
    }

    /// A key on P-384 from its point (SEC 1, section 2.3.3).
    pub(crate) fn p384(point: &[u8]) -> Option<Self> {
        p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
            .ok()
            .map(Self::P384)
    }

    /// An RSA key from its modulus, big-endian, and the exponent 65537.
    pub(crate) fn rsa(modulus: &[u8]) -> Option<Self> {
        if !RSA_BYTES.contains(&modulus.len()) {
            return None;
        }
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let key = RsaPublicKey::new(modulus, BoxedUint::from(65_537_u64)).ok()?;
        sane_rsa(key).map(Self::Rsa)
    }

    /// Whether `signature` over `message` verifies. A scheme that does not suit
    /// the key is a no.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let Some(claim) = Claim::read(self, scheme, signature) else {
            return false;
        };
        let verdict = backend::verifies(&claim, message);
        #[cfg(test)]
        both::assert_agreement(&claim, message, verdict);
        verdict
    }
}

/// A signature read for its key, so that all backends refuse the same encodings:
/// r and s are within 1 to n - 1 and strictly encoded, an RSA signature is as long
/// as its modulus. What is left to a backend is the arithmetic.
enum Claim<'a> {
    P256(&'a p256::ecdsa::VerifyingKey, Hash, p256::ecdsa::Signature),
    P384(&'a p384::ecdsa::VerifyingKey, Hash, p384::ecdsa::Signature),
    RsaPkcs1(&'a RsaPublicKey, Hash, &'a [u8]),
    RsaPss(&'a RsaPublicKey, Hash, &'a [u8]),
}

impl<'a> Claim<'a> {
    /// `None` if the scheme does not suit the key or the encoding is refused.
    fn read(key: &'a PublicKey, scheme: Scheme, signature: &'a [u8]) -> Option<Self> {
        match (key, scheme) {
            (PublicKey::P256(key), Scheme::EcdsaDer(hash)) => {
                let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
                Some(Self::P256(key, hash, signature))
            }
            (PublicKey::P256(key), Scheme::EcdsaFixed(hash)) => {
                let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
                Some(Self::P256(key, hash, signature))
            }
            (PublicKey::P384(key), Scheme::EcdsaDer(hash)) => {
                let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
                Some(Self::P384(key, hash, signature))
            }
            (PublicKey::P384(key), Scheme::EcdsaFixed(hash)) => {
                let signature = p384::ecdsa::Signature::from_slice(signature).ok()?;
                Some(Self::P384(key, hash, signature))
            }
            // RFC 8017, sections 8.1.2 and 8.2.2, step 1.
            (PublicKey::Rsa(key), Scheme::RsaPkcs1(hash)) if signature.len() == key.size() => {
                Some(Self::RsaPkcs1(key, hash, signature))
            }
            (PublicKey::Rsa(key), Scheme::RsaPss(hash)) if signature.len() == key.size() => {
                Some(Self::RsaPss(key, hash, signature))
            }
            _ => None,
        }
    }
}

fn curve(parameters: Option<AnyRef<'_>>) -> Option<ObjectIdentifier> {
    parameters?.decode_as().ok()
}

fn sane_rsa(key: RsaPublicKey) -> Option<RsaPublicKey> {
    let usual_exponent = key.e_bytes().as_ref() == [1, 0, 1];
    let usual_size = RSA_BITS.contains(&key.n().bits()) && RSA_BYTES.contains(&key.size());
    (usual_exponent && usual_size).then_some(key)
}

const RSA_BITS: core::ops::RangeInclusive<u32> = 2048..=4096;
const RSA_BYTES: core::ops::RangeInclusive<usize> = 256..=512;

// RFC 3279, section 2.3.1; RFC 5480, section 2.1.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

#[cfg(test)]
mod both;
#[cfg(test)]
mod tests;

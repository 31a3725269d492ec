//! Signatures of the kinds that evidence and its certificates use.
//!
//! Keys are read once into [`PublicKey`], which holds a point on its curve or an
//! RSA modulus of a sane size; verification then only answers yes or no.

use der::Decode;
use der::asn1::{AnyRef, ObjectIdentifier};
use p384::elliptic_curve::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;
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
        match (self, scheme) {
            (Self::P256(key), Scheme::EcdsaDer(hash)) => {
                p256::ecdsa::DerSignature::try_from(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::P256(key), Scheme::EcdsaFixed(hash)) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::P384(key), Scheme::EcdsaDer(hash)) => {
                p384::ecdsa::DerSignature::try_from(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::P384(key), Scheme::EcdsaFixed(hash)) => {
                p384::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::Rsa(key), Scheme::RsaPkcs1(hash)) => {
                verifies_pkcs1(key, hash, message, signature)
            }
            (Self::Rsa(key), Scheme::RsaPss(hash)) => verifies_pss(key, hash, message, signature),
            _ => false,
        }
    }
}

fn verifies_pkcs1(key: &RsaPublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    let Ok(signature) = Signature::try_from(signature) else {
        return false;
    };
    match hash {
        Hash::Sha256 => VerifyingKey::<Sha256>::new(key.clone()).verify(message, &signature),
        Hash::Sha384 => VerifyingKey::<Sha384>::new(key.clone()).verify(message, &signature),
        Hash::Sha512 => VerifyingKey::<Sha512>::new(key.clone()).verify(message, &signature),
    }
    .is_ok()
}

fn verifies_pss(key: &RsaPublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    use rsa::pss::{Signature, VerifyingKey};
    let Ok(signature) = Signature::try_from(signature) else {
        return false;
    };
    let key = key.clone();
    match hash {
        Hash::Sha256 => {
            VerifyingKey::<Sha256>::new_with_salt_len(key, 32).verify(message, &signature)
        }
        Hash::Sha384 => {
            VerifyingKey::<Sha384>::new_with_salt_len(key, 48).verify(message, &signature)
        }
        Hash::Sha512 => {
            VerifyingKey::<Sha512>::new_with_salt_len(key, 64).verify(message, &signature)
        }
    }
    .is_ok()
}

fn curve(parameters: Option<AnyRef<'_>>) -> Option<ObjectIdentifier> {
    parameters?.decode_as().ok()
}

fn sane_rsa(key: RsaPublicKey) -> Option<RsaPublicKey> {
    let usual_exponent = key.e_bytes().as_ref() == [1, 0, 1];
    (usual_exponent && RSA_BYTES.contains(&key.size())).then_some(key)
}

/// 2048 to 4096 bits.
const RSA_BYTES: core::ops::RangeInclusive<usize> = 256..=512;

// RFC 3279, section 2.3.1; RFC 5480, section 2.1.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

#[cfg(test)]
mod tests;

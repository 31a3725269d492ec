//! Verification in Rust, everywhere.

use rsa::RsaPublicKey;
use sha2::{Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;

use super::{Claim, Hash};

/// Whether the claimed signature over `message` verifies.
pub(super) fn verifies(claim: &Claim<'_>, message: &[u8]) -> bool {
    match claim {
        Claim::P256(key, hash, signature) => {
            key.verify_prehash(&hash.digest(message), signature).is_ok()
        }
        Claim::P384(key, hash, signature) => {
            key.verify_prehash(&hash.digest(message), signature).is_ok()
        }
        Claim::RsaPkcs1(key, hash, signature) => verifies_pkcs1(key, *hash, message, signature),
        Claim::RsaPss(key, hash, signature) => verifies_pss(key, *hash, message, signature),
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

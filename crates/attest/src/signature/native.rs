//! Verification by AWS-LC.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use rsa::RsaPublicKey;
use rsa::traits::PublicKeyParts;

use super::{Claim, Hash, portable};

/// Whether the claimed signature over `message` verifies. ECDSA with a digest of
/// another length than the curve's order is left to Rust: AWS-LC offers it for
/// signatures in DER only, and no platform signs so.
pub(super) fn verifies(claim: &Claim<'_>, message: &[u8]) -> bool {
    match claim {
        Claim::P256(key, Hash::Sha256, signature) => {
            let point = key.to_sec1_point(false);
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_bytes())
                .verify(message, &signature.to_bytes())
                .is_ok()
        }
        Claim::P384(key, Hash::Sha384, signature) => {
            let point = key.to_sec1_point(false);
            UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point.as_bytes())
                .verify(message, &signature.to_bytes())
                .is_ok()
        }
        Claim::P256(..) | Claim::P384(..) => portable::verifies(claim, message),
        Claim::RsaPkcs1(key, hash, signature) => rsa(key, pkcs1(*hash), message, signature),
        Claim::RsaPss(key, hash, signature) => rsa(key, pss(*hash), message, signature),
    }
}

fn rsa(
    key: &RsaPublicKey,
    parameters: &'static RsaParameters,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = PublicKeyComponents {
        n: key.n_bytes(),
        e: key.e_bytes(),
    };
    key.verify(parameters, message, signature).is_ok()
}

const fn pkcs1(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}

/// With a salt as long as the digest.
const fn pss(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha256 => &RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PSS_2048_8192_SHA512,
    }
}

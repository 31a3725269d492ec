//! The outer shape that certificates and revocation lists share:
//! `SEQUENCE { content, algorithm, signature }` (RFC 5280, sections 4.1 and 5.1).
//!
//! The content is kept as the bytes that were signed. AMD encodes the default
//! `trailerField` of its RSASSA-PSS parameters, which DER forbids, so the
//! algorithm is compared with the two encodings in use instead of being decoded.

use der::asn1::BitStringRef;
use der::{Decode, Reader, SliceReader};
use rsa::RsaPublicKey;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use sha2::Sha384;

/// A signed object, split but not verified.
#[derive(Clone, Debug)]
pub(super) struct SignedObject<'a> {
    /// The signed bytes, with their header.
    pub(super) content: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl<'a> SignedObject<'a> {
    /// Splits `der`. `None` if it is not such an object, is followed by further
    /// bytes, or is not signed with RSASSA-PSS and SHA-384.
    pub(super) fn split(der: &'a [u8]) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        let object = reader
            .sequence(|inner| {
                let content = inner.tlv_bytes()?;
                let algorithm = inner.tlv_bytes()?;
                let signature = BitStringRef::decode(inner)?;
                Ok::<_, der::Error>((content, algorithm, signature))
            })
            .ok()?;
        reader.finish().ok()?;
        let (content, algorithm, signature) = object;
        is_pss_with_sha384(algorithm).then_some(())?;
        Some(Self {
            content,
            signature: signature.as_bytes()?,
        })
    }
}

/// Whether `algorithm` is the DER of an `AlgorithmIdentifier` for RSASSA-PSS with
/// SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 4055, section 3.1).
pub(super) fn is_pss_with_sha384(algorithm: &[u8]) -> bool {
    algorithm == PSS_SHA384 || algorithm == PSS_SHA384_WITH_TRAILER
}

/// Whether `signature` over `content` verifies under `key`.
pub(super) fn verifies(key: &RsaPublicKey, content: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::<Sha384>::new_with_salt_len(key.clone(), SALT_BYTES);
    Signature::try_from(signature).is_ok_and(|signature| key.verify(content, &signature).is_ok())
}

pub(crate) const SALT_BYTES: usize = 48;

/// RFC 4055: hash, mask generation function and salt length named, default
/// trailer field left out as DER wants it.
#[rustfmt::skip]
pub(crate) const PSS_SHA384: &[u8] = &[
    0x30, 0x41, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01,
    0x0A, 0x30, 0x34, 0xA0, 0x0F, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA1, 0x1C, 0x30, 0x1A,
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08, 0x30,
    0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xA2, 0x03, 0x02, 0x01, 0x30,
];

/// The same with the default trailer field written out, as AMD does.
#[rustfmt::skip]
pub(crate) const PSS_SHA384_WITH_TRAILER: &[u8] = &[
    0x30, 0x46, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01,
    0x0A, 0x30, 0x39, 0xA0, 0x0F, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA1, 0x1C, 0x30, 0x1A,
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08, 0x30,
    0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xA2, 0x03, 0x02, 0x01, 0x30, 0xA3, 0x03, 0x02, 0x01, 0x01,
];

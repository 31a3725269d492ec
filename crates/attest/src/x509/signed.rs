//! The outer shape that certificates and revocation lists share:
//! `SEQUENCE { content, algorithm, signature }` (RFC 5280, sections 4.1 and 5.1).
//!
//! The content is kept as the bytes that were signed. AMD encodes the default
//! `trailerField` of its RSASSA-PSS parameters, which DER forbids, so that
//! algorithm is compared with the two encodings in use instead of being decoded.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::signature::{Hash, Scheme};

/// A signed object, split but not verified.
#[derive(Clone, Debug)]
pub(crate) struct SignedObject<'a> {
    /// The signed bytes, with their header.
    pub(crate) content: &'a [u8],
    /// How they are signed.
    pub(crate) scheme: Scheme,
    /// The signature.
    pub(crate) signature: &'a [u8],
}

impl<'a> SignedObject<'a> {
    /// Splits `der`. `None` if it is not such an object, is followed by further
    /// bytes, or is signed in a way this crate does not know.
    pub(crate) fn split(der: &'a [u8]) -> Option<Self> {
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
        Some(Self {
            content,
            scheme: scheme(algorithm)?,
            signature: signature.as_bytes()?,
        })
    }
}

/// Reads the DER of an `AlgorithmIdentifier`: RSASSA-PSS with SHA-384 and a salt
/// of 48 bytes (RFC 4055, section 3.1), RSASSA-PKCS1-v1_5 (section 5), or ECDSA
/// (RFC 5758, section 3.2).
pub(crate) fn scheme(algorithm: &[u8]) -> Option<Scheme> {
    if algorithm == PSS_SHA384 || algorithm == PSS_SHA384_WITH_TRAILER {
        return Some(Scheme::RsaPss(Hash::Sha384));
    }
    let algorithm = AlgorithmIdentifierRef::from_der(algorithm).ok()?;
    let (_, scheme) = ALGORITHMS
        .into_iter()
        .find(|(oid, _)| *oid == algorithm.oid)?;
    let parameters_fit = match scheme {
        Scheme::RsaPkcs1(_) => algorithm.parameters_any().is_ok_and(AnyRef::is_null),
        _ => algorithm.parameters.is_none(),
    };
    parameters_fit.then_some(scheme)
}

const ALGORITHMS: [(ObjectIdentifier, Scheme); 6] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        Scheme::EcdsaDer(Hash::Sha256),
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
        Scheme::EcdsaDer(Hash::Sha384),
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
        Scheme::EcdsaDer(Hash::Sha512),
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
        Scheme::RsaPkcs1(Hash::Sha256),
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
        Scheme::RsaPkcs1(Hash::Sha384),
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
        Scheme::RsaPkcs1(Hash::Sha512),
    ),
];

/// Salt length in both encodings.
#[cfg(any(test, feature = "development"))]
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

//! The format of a quote, versions 3 to 5.
//!
//! All lengths are compared with each other before anything is used: nothing may
//! lie between the parts, or behind the last one.

use super::body::{EnclaveReport, TdReport};
use crate::eventlog::Reader;

/// A quote whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub(crate) struct Quote<'a> {
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// Header and body, which the attestation key signed.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// x and y of the attestation key.
    pub(crate) attestation_key: &'a [u8],
    pub(crate) qe_report: EnclaveReport,
    /// The quoting enclave's report, which the platform key signed.
    pub(crate) qe_report_bytes: &'a [u8],
    pub(crate) qe_report_signature: &'a [u8],
    pub(crate) authentication_data: &'a [u8],
    pub(crate) certification: Certification<'a>,
}

/// What the header says, and from version 5 on the descriptor of the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) version: u16,
    pub(crate) key_type: u16,
    pub(crate) tee_type: u32,
    pub(crate) body_type: Option<u16>,
    pub(crate) body_len: usize,
}

/// What a quote is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Body {
    Enclave(Box<EnclaveReport>),
    Td(Box<TdReport>),
}

/// How a quote names the certificate of its platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Certification<'a> {
    /// The chain itself, in PEM (type 5).
    Chain(&'a [u8]),
    /// An identifier of the platform (types 1 to 3): the chain comes from
    /// elsewhere.
    Identifier,
}

impl<'a> Quote<'a> {
    /// Longest quote that is read, in bytes. Those in use have 4,500 to 5,100.
    pub(crate) const MAX_LEN: usize = 32 * 1024;

    /// Reads a quote that fills `bytes`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, QuoteError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(QuoteError::TooLong { got: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let body = reader
            .take(header.body_len)
            .ok_or(QuoteError::Part { part: "body" })?;
        let body = Body::parse(header.tee_type, body).ok_or(QuoteError::Part { part: "body" })?;
        let signed = bytes.get(..reader.position()).unwrap_or_default();
        let length = reader.u32().and_then(|length| usize::try_from(length).ok());
        let rest = reader.rest();
        if length != Some(rest.len()) {
            return Err(QuoteError::SignatureLength { behind: rest.len() });
        }
        let part = "signature data";
        Self::read_signature(header, body, signed, rest).ok_or(QuoteError::Part { part })
    }

    /// How many of these bytes a quote takes that begins with them, as its own
    /// lengths say: some transports fill a buffer up with zeros.
    pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader).ok()?;
        reader.take(header.body_len)?;
        let length = usize::try_from(reader.u32()?).ok()?;
        reader.take(length)?;
        Some(reader.position())
    }

    /// `Quote_Auth_Data`: from version 4 on, all that concerns the quoting
    /// enclave is wrapped as certification data of type 6.
    fn read_signature(
        header: Header,
        body: Body,
        signed: &'a [u8],
        bytes: &'a [u8],
    ) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let signature = reader.take(64)?;
        let attestation_key = reader.take(64)?;
        if header.version >= 4 {
            if reader.u16()? != QE_REPORT_CERTIFICATION {
                return None;
            }
            let length = usize::try_from(reader.u32()?).ok()?;
            let inner = reader.rest();
            if inner.len() != length {
                return None;
            }
            reader = Reader::new(inner);
        }
        let qe_report_bytes = reader.take(EnclaveReport::LEN)?;
        let qe_report_signature = reader.take(64)?;
        let length = usize::from(reader.u16()?);
        let authentication_data = reader.take(length)?;
        let kind = reader.u16()?;
        let length = usize::try_from(reader.u32()?).ok()?;
        let certification = Certification::read(kind, reader.take(length)?)?;
        reader.is_empty().then_some(())?;
        Some(Self {
            header,
            body,
            signed,
            signature,
            attestation_key,
            qe_report: EnclaveReport::parse(qe_report_bytes)?,
            qe_report_bytes,
            qe_report_signature,
            authentication_data,
            certification,
        })
    }
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, QuoteError> {
        let part = QuoteError::Part { part: "header" };
        let (version, key_type, tee_type) = (|| {
            let start = (reader.u16()?, reader.u16()?, reader.u32()?);
            let _security_versions = reader.take(4)?;
            let vendor = reader.take(16)?;
            let _user_data = reader.take(20)?;
            (vendor == INTEL_QE_VENDOR).then_some(start)
        })()
        .ok_or(part.clone())?;
        if key_type != ECDSA_P256 {
            return Err(QuoteError::KeyType { got: key_type });
        }
        let (body_type, body_len) = match (version, tee_type) {
            (3 | 4, SGX) => (None, EnclaveReport::LEN),
            (4, TDX) => (None, TdReport::LEN_10),
            (5, SGX | TDX) => {
                let (kind, length) = reader.u16().zip(reader.u32()).ok_or(part.clone())?;
                let expected = match (kind, tee_type) {
                    (1, SGX) => EnclaveReport::LEN,
                    (2, TDX) => TdReport::LEN_10,
                    (3, TDX) => TdReport::LEN_15,
                    _ => return Err(part),
                };
                if usize::try_from(length) != Ok(expected) {
                    return Err(part);
                }
                (Some(kind), expected)
            }
            _ => return Err(QuoteError::Version { version, tee_type }),
        };
        Ok(Self {
            version,
            key_type,
            tee_type,
            body_type,
            body_len,
        })
    }
}

impl Body {
    fn parse(tee_type: u32, bytes: &[u8]) -> Option<Self> {
        if tee_type == TDX {
            TdReport::parse(bytes).map(Box::new).map(Self::Td)
        } else {
            EnclaveReport::parse(bytes).map(Box::new).map(Self::Enclave)
        }
    }
}

impl<'a> Certification<'a> {
    fn read(kind: u16, data: &'a [u8]) -> Option<Self> {
        match kind {
            1..=3 => Some(Self::Identifier),
            5 => Some(Self::Chain(data)),
            _ => None,
        }
    }
}

/// `tee_type` of an enclave.
pub(super) const SGX: u32 = 0x00;
/// `tee_type` of a trust domain.
pub(super) const TDX: u32 = 0x81;
/// ECDSA-256-with-P-256; no other kind of attestation key is in use.
const ECDSA_P256: u16 = 2;
/// Certification data that holds the quoting enclave's report.
const QE_REPORT_CERTIFICATION: u16 = 6;
/// `QE_VENDOR_ID` of Intel: 939a7233-f79c-4ca9-940a-0db3957f0607.
const INTEL_QE_VENDOR: [u8; 16] = [
    0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07,
];

/// Why bytes were refused as a quote.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// The attestation key is of another kind than ECDSA with P-256.
    #[error("attestation key of type {got}, expected {ECDSA_P256}")]
    KeyType {
        /// The type.
        got: u16,
    },

    /// A part breaks the format.
    #[error("the {part} is malformed")]
    Part {
        /// Which part.
        part: &'static str,
    },

    /// The signature data do not fill the rest of the quote.
    #[error("{behind} bytes lie behind the length of the signature data, which differs")]
    SignatureLength {
        /// How many bytes there are.
        behind: usize,
    },

    /// The input is longer than is read.
    #[error("quote is {got} bytes long, at most {} are read", Quote::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// No quote of this version for this kind of environment is known.
    #[error("version {version} for environment {tee_type:#x} is not known")]
    Version {
        /// The version.
        version: u16,
        /// The kind of environment.
        tee_type: u32,
    },
}

//! Questions and answers about revocation (RFC 6960), as far as gathering needs
//! them.
//!
//! An answer is read for what it is about and how long it is good. Its signature
//! is **not** checked here.

use der::asn1::{GeneralizedTime, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use sha2::{Digest, Sha384};

use crate::time::UnixSeconds;
use crate::x509::Certificate;

/// A question about one certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    id: Vec<u8>,
    nonce: [u8; 32],
}

impl Question {
    /// Asks about the certificate `subject`, which `issuer` issued, both DER.
    ///
    /// The digests that name the issuer are SHA-384, as in NVIDIA's own tools. The
    /// nonce (RFC 9654) makes the answer a new one.
    ///
    /// `None` if one of the two is not a certificate, or `issuer` has another name
    /// than the issuer that `subject` names.
    #[must_use]
    pub fn new(subject: &[u8], issuer: &[u8], nonce: [u8; 32]) -> Option<Self> {
        let subject = Certificate::parse(subject).ok()?;
        let issuer = Certificate::parse(issuer).ok()?;
        if subject.issuer() != issuer.subject() {
            return None;
        }
        let name = Sha384::digest(issuer.subject().to_der().ok()?);
        let key = Sha384::digest(issuer.public_key_bits());
        let serial = element(Tag::Integer, &[subject.serial()])?;
        let algorithm = element(Tag::Sequence, &[&SHA_384.to_der().ok()?])?;
        let name = element(Tag::OctetString, &[&name])?;
        let key = element(Tag::OctetString, &[&key])?;
        let id = element(Tag::Sequence, &[&algorithm, &name, &key, &serial])?;
        Some(Self { id, nonce })
    }

    /// The question as it is sent: `OCSPRequest` (RFC 6960, section 4.1.1).
    #[must_use]
    pub fn to_der(&self) -> Option<Vec<u8>> {
        let nonce = element(Tag::OctetString, &[&self.nonce])?;
        let nonce = element(Tag::OctetString, &[&nonce])?;
        let extension = element(Tag::Sequence, &[&NONCE.to_der().ok()?, &nonce])?;
        let extensions = element(Tag::Sequence, &[&extension])?;
        let extensions = element(context(2), &[&extensions])?;
        let request = element(Tag::Sequence, &[&self.id])?;
        let requests = element(Tag::Sequence, &[&request])?;
        let content = element(Tag::Sequence, &[&requests, &extensions])?;
        element(Tag::Sequence, &[&content])
    }

    /// What identifies the certificate: `CertID`, DER. Equal questions have equal
    /// ones, whatever their nonces.
    #[must_use]
    pub fn certificate_id(&self) -> &[u8] {
        &self.id
    }
}

/// An answer of which nothing is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    nonce: Option<Vec<u8>>,
    statuses: Vec<Status>,
}

/// What an answer says about one certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Status {
    id: Vec<u8>,
    is_good: bool,
    next_update: UnixSeconds,
}

impl Answer {
    /// Reads `OCSPResponse` (RFC 6960, section 4.2.1), with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub fn parse(der: &[u8]) -> Result<Self, AnswerError> {
        let (status, basic) = envelope(der).map_err(|_| AnswerError::Format)?;
        if status != SUCCESSFUL {
            return Err(AnswerError::Unsuccessful { status });
        }
        let basic = basic.ok_or(AnswerError::Format)?;
        let answer = basic_response(basic).map_err(|_| AnswerError::Format)?;
        if answer.statuses.is_empty() {
            return Err(AnswerError::Format);
        }
        Ok(answer)
    }

    /// Whether this answers the question: the same certificate and the same nonce.
    #[must_use]
    pub fn answers(&self, question: &Question) -> bool {
        let about_it = self.statuses.iter().any(|status| status.id == question.id);
        about_it && self.nonce.as_deref() == Some(&question.nonce)
    }

    /// Whether every certificate it is about is said to be good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.statuses.iter().all(|status| status.is_good)
    }

    /// When the earliest newer answer is due.
    #[must_use]
    pub fn next_update(&self) -> UnixSeconds {
        let times = self.statuses.iter().map(|status| status.next_update);
        times.min().unwrap_or(UnixSeconds::new(0))
    }
}

/// Why bytes were refused as an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The bytes are not an answer that says when the next one comes.
    #[error("not an OCSP answer with a next update")]
    Format,

    /// The responder did not answer the question.
    #[error("the OCSP responder refused to answer with status {status}")]
    Unsuccessful {
        /// `OCSPResponseStatus`.
        status: u8,
    },
}

/// The status and the bytes of the `BasicOCSPResponse`, if there is one.
fn envelope(der: &[u8]) -> der::Result<(u8, Option<&[u8]>)> {
    let mut reader = SliceReader::new(der)?;
    let read = reader.sequence(|inner| {
        let status = inner.tlv_bytes()?;
        let [0x0A, 1, status] = *status else {
            return Err(Tag::Enumerated.value_error().into());
        };
        if inner.is_finished() {
            return Ok::<_, der::Error>((status, None));
        }
        let basic = explicit(inner, 0, |inner| {
            inner.sequence(|inner| {
                if ObjectIdentifier::decode(inner)? != BASIC {
                    return Err(Tag::ObjectIdentifier.value_error().into());
                }
                Ok::<_, der::Error>(<&OctetStringRef>::decode(inner)?.as_bytes())
            })
        })?;
        Ok((status, Some(basic)))
    })?;
    reader.finish()?;
    Ok(read)
}

/// `BasicOCSPResponse`: signed data, algorithm, signature, certificates.
fn basic_response(der: &[u8]) -> der::Result<Answer> {
    let mut reader = SliceReader::new(der)?;
    let answer = reader.sequence(|inner| {
        let answer = inner.sequence(response_data)?;
        while !inner.is_finished() {
            inner.tlv_bytes()?;
        }
        Ok::<_, der::Error>(answer)
    })?;
    reader.finish()?;
    Ok(answer)
}

/// `ResponseData`: version [0], responder [1] or [2], time, statuses, extensions [1].
fn response_data(inner: &mut SliceReader<'_>) -> der::Result<Answer> {
    if Tag::peek(inner)? == context(0) {
        inner.tlv_bytes()?;
    }
    inner.tlv_bytes()?;
    GeneralizedTime::decode(inner)?;
    let statuses = inner.sequence(|inner| {
        let mut statuses = Vec::new();
        while !inner.is_finished() {
            statuses.push(inner.sequence(single_response)?);
        }
        Ok::<_, der::Error>(statuses)
    })?;
    let nonce = if inner.is_finished() {
        None
    } else {
        explicit(inner, 1, nonce)?
    };
    Ok(Answer { nonce, statuses })
}

/// `SingleResponse`: identifier, status, this update, next update [0], extensions [1].
fn single_response(inner: &mut SliceReader<'_>) -> der::Result<Status> {
    let id = inner.tlv_bytes()?.to_vec();
    // `good [0] IMPLICIT NULL`, `revoked [1] IMPLICIT …`, `unknown [2] IMPLICIT …`.
    let is_good = inner.tlv_bytes()? == [0x80, 0];
    GeneralizedTime::decode(inner)?;
    let next_update = explicit(inner, 0, GeneralizedTime::decode)?;
    while !inner.is_finished() {
        inner.tlv_bytes()?;
    }
    Ok(Status {
        id,
        is_good,
        next_update: UnixSeconds::new(next_update.to_unix_duration().as_secs()),
    })
}

/// `Extensions`: the nonce, which is an octet string within an octet string.
fn nonce(inner: &mut SliceReader<'_>) -> der::Result<Option<Vec<u8>>> {
    inner.sequence(|inner| {
        let mut nonce = None;
        while !inner.is_finished() {
            inner.sequence(|inner| {
                let oid = ObjectIdentifier::decode(inner)?;
                if Tag::peek(inner)? == Tag::Boolean {
                    bool::decode(inner)?;
                }
                let value = <&OctetStringRef>::decode(inner)?;
                if oid == NONCE {
                    let value = <&OctetStringRef>::from_der(value.as_bytes())?;
                    nonce = Some(value.as_bytes().to_vec());
                }
                Ok::<_, der::Error>(())
            })?;
        }
        Ok::<_, der::Error>(nonce)
    })
}

/// Reads an element that is wrapped in the explicit tag `[number]`.
fn explicit<'a, T>(
    reader: &mut SliceReader<'a>,
    number: u32,
    read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
) -> der::Result<T> {
    let wrapped = der::asn1::AnyRef::decode(reader)?;
    if wrapped.tag() != context(number) {
        return Err(wrapped.tag().value_error().into());
    }
    let mut inner = SliceReader::new(wrapped.value())?;
    let value = read(&mut inner)?;
    inner.finish()?;
    Ok(value)
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// One element with these parts, one after the other. `None` if it is too long.
fn element(tag: Tag, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let content = parts.concat();
    let mut bytes = tag.to_der().ok()?;
    bytes.extend(der::Length::try_from(content.len()).ok()?.to_der().ok()?);
    bytes.extend(content);
    Some(bytes)
}

const SUCCESSFUL: u8 = 0;
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

#[cfg(test)]
mod tests;

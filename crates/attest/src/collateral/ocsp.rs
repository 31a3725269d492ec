//! Questions and answers about revocation (RFC 6960), as far as gathering needs
//! them.
//!
//! An answer is read for what it is about and how long it is good. Its signature
//! is **not** checked here.

use der::asn1::ObjectIdentifier;
use der::{Encode, Tag, TagNumber};
use sha2::{Digest, Sha384};

use crate::time::UnixSeconds;
use crate::x509::Certificate;
use crate::x509::ocsp::{self, Word};

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
    answer: ocsp::Answer,
    next_update: UnixSeconds,
}

impl Answer {
    /// Reads `OCSPResponse` (RFC 6960, section 4.2.1), with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub fn parse(der: &[u8]) -> Result<Self, AnswerError> {
        let answer = ocsp::Answer::parse(der).map_err(|error| match error {
            ocsp::AnswerError::Unsuccessful { status } => AnswerError::Unsuccessful { status },
            _ => AnswerError::Format,
        })?;
        let times: Option<Vec<_>> = answer.words().iter().map(Word::next_update).collect();
        let next_update = times.and_then(|times| times.into_iter().min());
        Ok(Self {
            next_update: next_update.ok_or(AnswerError::Format)?,
            answer,
        })
    }

    /// Whether this answers the question: the same certificate and the same nonce.
    #[must_use]
    pub fn answers(&self, question: &Question) -> bool {
        let mut words = self.answer.words().iter();
        words.any(|word| word.certificate_id() == question.id)
            && self.answer.nonce() == Some(&question.nonce)
    }

    /// Whether every certificate it is about is said to be good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.answer.words().iter().all(Word::is_good)
    }

    /// When the earliest newer answer is due.
    #[must_use]
    pub fn next_update(&self) -> UnixSeconds {
        self.next_update
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

const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

#[cfg(test)]
mod tests;

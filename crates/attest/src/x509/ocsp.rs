//! Answers about revocation (RFC 6960), stapled to evidence.
//!
//! An answer is a responder's signed word, with dates, on certificates of one issuer. The issuer itself may sign it, or a
//! responder whose certificate the issuer signed for that purpose (section 4.2.2.2). Nothing is fetched, so there is no
//! nonce: the dates bound how old an answer may be. Certificates are named by SHA-2 digests; SHA-1 is refused.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::{Certificate, signed};
use crate::appraisal::Code;
use crate::signature::{Hash, PublicKey, Scheme};
use crate::time::UnixSeconds;

/// A response of which nothing is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    content: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    /// What the responder sends along, in DER.
    certificates: Vec<Vec<u8>>,
    /// What the question was made unique with (RFC 9654).
    nonce: Option<Vec<u8>>,
    words: Vec<Word>,
}

/// What an answer says about one certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// `CertID`, DER.
    id: Vec<u8>,
    hash: Hash,
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Vec<u8>,
    status: Status,
    this_update: UnixSeconds,
    next_update: Option<UnixSeconds>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Status {
    Good,
    Revoked,
    Unknown,
}

impl Answer {
    /// Largest response that is read, in bytes. Those with a responder's certificate have about 1,500.
    pub(crate) const MAX_LEN: usize = 16 * 1024;

    /// Reads a successful response in DER, with nothing behind it.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, AnswerError> {
        if der.len() > Self::MAX_LEN {
            return Err(AnswerError::Format);
        }
        let [status, rest @ ..] = &*children(der).ok_or(AnswerError::Format)? else {
            return Err(AnswerError::Format);
        };
        match (status.tag(), status.value(), rest) {
            (Tag::Enumerated, &[SUCCESSFUL], [bytes]) => basic_response(*bytes)
                .and_then(read_basic)
                .ok_or(AnswerError::Format),
            (Tag::Enumerated, &[status], []) if status != SUCCESSFUL => {
                Err(AnswerError::Unsuccessful { status })
            }
            _ => Err(AnswerError::Format),
        }
    }

    /// What the question was made unique with.
    pub(crate) fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// What the answer says, of which nothing is verified.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether the answer is about `certificate`, if `issuer` issued it.
    pub(crate) fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.words
            .iter()
            .any(|word| word.names(certificate, issuer))
    }

    /// Checks who signed the answer and that it calls `certificate` good, as of `now`; gives back since when it does.
    ///
    /// The dates come last: what an old answer calls revoked stays revoked.
    pub(crate) fn check(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        now: UnixSeconds,
    ) -> Result<UnixSeconds, AnswerError> {
        let word = self
            .words
            .iter()
            .find(|word| word.names(certificate, issuer))
            .ok_or(AnswerError::Unknown)?;
        let key = issuer.public_key().ok_or(AnswerError::Signer)?;
        self.check_signer(issuer, &key, now)?;
        match word.status {
            Status::Good => word.check_dates(now),
            Status::Revoked => Err(AnswerError::Revoked),
            Status::Unknown => Err(AnswerError::Unknown),
        }
    }

    fn check_signer(
        &self,
        issuer: &Certificate,
        issuer_key: &PublicKey,
        now: UnixSeconds,
    ) -> Result<(), AnswerError> {
        let is_by = |key: &PublicKey| key.verifies(self.scheme, &self.content, &self.signature);
        let delegate = |der: &Vec<u8>| {
            let certificate = Certificate::parse_knowing(der, &[EXTENDED_KEY_USAGE]).ok()?;
            let is_delegate = certificate.issuer() == issuer.subject()
                && may_answer(&certificate)
                && (certificate.not_before()..=certificate.not_after()).contains(&now)
                && certificate.is_signed_by(issuer_key);
            certificate.public_key().filter(|_| is_delegate)
        };
        let mut delegates = self.certificates.iter().filter_map(delegate);
        if is_by(issuer_key) || delegates.any(|key| is_by(&key)) {
            Ok(())
        } else {
            Err(AnswerError::Signer)
        }
    }
}

impl Word {
    /// `CertID`, DER: which certificate this is about.
    pub(crate) fn certificate_id(&self) -> &[u8] {
        &self.id
    }

    pub(crate) fn is_good(&self) -> bool {
        self.status == Status::Good
    }

    /// Last second at which this is good, if it says so.
    pub(crate) fn next_update(&self) -> Option<UnixSeconds> {
        self.next_update
    }

    fn names(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let name = issuer.subject().to_der().unwrap_or_default();
        certificate.issuer() == issuer.subject()
            && self.serial == without_zeros(certificate.serial())
            && self.issuer_name == self.hash.digest(&name)
            && self.issuer_key == self.hash.digest(issuer.public_key_bits())
    }

    fn check_dates(&self, now: UnixSeconds) -> Result<UnixSeconds, AnswerError> {
        let until = self.next_update.ok_or(AnswerError::Stale)?;
        if (self.this_update..=until).contains(&now) {
            Ok(self.this_update)
        } else {
            Err(AnswerError::Stale)
        }
    }
}

/// RFC 6960, section 4.2.2.2: the purpose must be named; an authority's key has another one.
fn may_answer(certificate: &Certificate) -> bool {
    let purposes = certificate
        .extension(EXTENDED_KEY_USAGE)
        .and_then(|value| Vec::<ObjectIdentifier>::from_der(value).ok())
        .unwrap_or_default();
    purposes.contains(&OCSP_SIGNING) && certificate.may_sign() && certificate.is_end_entity()
}

/// `ResponseBytes`: the bytes of the basic response.
fn basic_response(bytes: AnyRef<'_>) -> Option<&[u8]> {
    let [kind, response] = children(context(bytes, 0)?)?.try_into().ok()?;
    let kind: ObjectIdentifier = kind.decode_as().ok()?;
    let response = <&OctetStringRef>::try_from(response).ok()?;
    (kind == BASIC_RESPONSE).then(|| response.as_bytes())
}

/// `BasicOCSPResponse`.
fn read_basic(der: &[u8]) -> Option<Answer> {
    let mut reader = SliceReader::new(der).ok()?;
    let parts = reader.sequence(|inner| {
        let content = inner.tlv_bytes()?;
        let algorithm = inner.tlv_bytes()?;
        let signature = BitStringRef::decode(inner)?;
        let certificates = Option::<AnyRef<'_>>::decode(inner)?;
        Ok::<_, der::Error>((content, algorithm, signature, certificates))
    });
    let (content, algorithm, signature, certificates) = parts.ok()?;
    reader.finish().ok()?;
    let certificates = match certificates {
        Some(field) => children(context(field, 0)?)?,
        None => Vec::new(),
    };
    let encoded: Result<Vec<_>, _> = certificates.iter().map(Encode::to_der).collect();
    let (words, nonce) = read_content(content)?;
    Some(Answer {
        words,
        nonce,
        content: content.to_vec(),
        scheme: signed::scheme(algorithm)?,
        signature: signature.as_bytes()?.to_vec(),
        certificates: encoded.ok()?,
    })
}

/// `ResponseData`. Who it says answers does not matter: the signature shows it.
fn read_content(der: &[u8]) -> Option<(Vec<Word>, Option<Vec<u8>>)> {
    let mut fields = children(der)?.into_iter().peekable();
    // Version 1 is the default and must not be written.
    let responder = fields.next()?;
    matches!(context_number(responder.tag())?, 1 | 2).then_some(())?;
    fields.next()?.decode_as::<GeneralizedTime>().ok()?;
    let words = fields.next()?;
    let nonce = match fields.next() {
        Some(extensions) => read_nonce(context(extensions, 1)?).ok()?,
        None => None,
    };
    fields.next().is_none().then_some(())?;
    let words: Vec<_> = children(&words.to_der().ok()?)?
        .into_iter()
        .map(read_word)
        .collect::<Option<_>>()?;
    Some((words, nonce))
}

/// `Extensions`, none of them critical: the nonce among them, an octet string in an octet string.
fn read_nonce(der: &[u8]) -> Result<Option<Vec<u8>>, AnswerError> {
    let octets =
        |der: &[u8]| <&OctetStringRef>::from_der(der).map(|octets| octets.as_bytes().to_vec());
    no_critical_extensions(der).ok_or(AnswerError::Format)?;
    let mut nonce = None;
    for extension in children(der).ok_or(AnswerError::Format)? {
        let fields = extension.sequence(|fields| {
            let oid = ObjectIdentifier::decode(fields)?;
            Ok::<_, der::Error>((oid, <&OctetStringRef>::decode(fields)?.as_bytes()))
        });
        let (oid, value) = fields.map_err(|_| AnswerError::Format)?;
        if oid == NONCE {
            nonce = Some(octets(value).map_err(|_| AnswerError::Format)?);
        }
    }
    Ok(nonce)
}

/// `SingleResponse`.
fn read_word(word: AnyRef<'_>) -> Option<Word> {
    let der = word.to_der().ok()?;
    let mut fields = children(&der)?.into_iter();
    let id = fields.next()?.to_der().ok()?;
    let [algorithm, issuer_name, issuer_key, serial] = children(&id)?.try_into().ok()?;
    let status = match context_number(fields.next()?.tag())? {
        0 => Status::Good,
        1 => Status::Revoked,
        2 => Status::Unknown,
        _ => return None,
    };
    let this_update = fields.next()?.decode_as::<GeneralizedTime>().ok()?;
    let mut next_update = None;
    let mut extensions = None;
    for field in fields {
        let place = match context_number(field.tag())? {
            0 if next_update.is_none() && extensions.is_none() => &mut next_update,
            1 if extensions.is_none() => &mut extensions,
            _ => return None,
        };
        *place = Some(field);
    }
    if let Some(extensions) = extensions {
        no_critical_extensions(context(extensions, 1)?)?;
    }
    let next_update = match next_update {
        Some(field) => Some(GeneralizedTime::from_der(context(field, 0)?).ok()?),
        None => None,
    };
    let octets = |field| Some(<&OctetStringRef>::try_from(field).ok()?.as_bytes().to_vec());
    (serial.tag() == Tag::Integer).then_some(())?;
    Some(Word {
        hash: read_hash(&algorithm.to_der().ok()?)?,
        issuer_name: octets(issuer_name)?,
        issuer_key: octets(issuer_key)?,
        serial: without_zeros(serial.value()).to_vec(),
        id,
        status,
        this_update: seconds(this_update),
        next_update: next_update.map(seconds),
    })
}

/// An `AlgorithmIdentifier` without parameters, or with `NULL`.
fn read_hash(der: &[u8]) -> Option<Hash> {
    let fields = children(der)?;
    let (oid, parameters) = fields.split_first()?;
    let no_parameters = match parameters {
        [] => true,
        [one] => one.is_null(),
        _ => false,
    };
    let oid: ObjectIdentifier = oid.decode_as().ok()?;
    let (_, hash) = HASHES.into_iter().find(|(known, _)| *known == oid)?;
    no_parameters.then_some(hash)
}

/// `Extensions`, none of them critical: a critical one may change what an answer means.
fn no_critical_extensions(der: &[u8]) -> Option<()> {
    let extensions = children(der)?;
    for extension in extensions {
        let fields = children(&extension.to_der().ok()?)?.len();
        // Identifier and value; a third field says that it is critical.
        (fields == 2).then_some(())?;
    }
    Some(())
}

/// The elements of a sequence that is all there is.
fn children(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(der).ok()?;
    let children = reader.sequence(|inner| {
        let mut children = Vec::new();
        while !inner.is_finished() {
            children.push(AnyRef::decode(inner)?);
        }
        Ok::<_, der::Error>(children)
    });
    reader.finish().ok()?;
    children.ok()
}

/// The content of an explicitly tagged field.
fn context(field: AnyRef<'_>, number: u32) -> Option<&[u8]> {
    let expected = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    };
    (field.tag() == expected).then(|| field.value())
}

fn context_number(tag: Tag) -> Option<u32> {
    match tag {
        Tag::ContextSpecific { number, .. } => Some(number.value()),
        _ => None,
    }
}

fn seconds(time: GeneralizedTime) -> UnixSeconds {
    UnixSeconds::new(time.to_unix_duration().as_secs())
}

fn without_zeros(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|&&byte| byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

/// Why an answer was refused, or refused a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The bytes are not a successful response of the basic kind.
    #[error("not a successful answer about revocation")]
    Format,

    /// The certificate is revoked, or on hold.
    #[error("the responder calls the certificate revoked")]
    Revoked,

    /// Neither the issuer nor a responder it named signed the answer.
    #[error("the answer about revocation is not signed for the certificate's issuer")]
    Signer,

    /// The answer is too old, from the future, or does not say until when it is good.
    #[error("the answer about revocation is not of now")]
    Stale,

    /// The responder does not know the certificate, or was asked about another.
    #[error("the responder does not know the certificate")]
    Unknown,

    /// The responder did not answer.
    #[error("the responder refused to answer, with status {status}")]
    Unsuccessful {
        /// `OCSPResponseStatus`.
        status: u8,
    },
}

impl AnswerError {
    /// The stable code of this refusal.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Format | Self::Signer | Self::Unknown | Self::Unsuccessful { .. } => {
                Code::RevocationAnswerInvalid
            }
            Self::Revoked => Code::Revoked,
            Self::Stale => Code::RevocationAnswerStale,
        }
    }
}

/// `OCSPResponseStatus`.
const SUCCESSFUL: u8 = 0;

// RFC 6960, sections 4.2.1 and 4.2.2.2; RFC 5280, section 4.2.1.12.
const BASIC_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

const HASHES: [(ObjectIdentifier, Hash); 3] = [
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        Hash::Sha256,
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        Hash::Sha384,
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        Hash::Sha512,
    ),
];

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

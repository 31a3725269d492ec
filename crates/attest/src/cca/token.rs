//! The token: a collection of two signed objects.

use super::platform::PlatformClaims;
use super::realm::RealmClaims;
use crate::arm::ClaimError;
use crate::cose::cbor::{Key, Lengths, Reader};
use crate::cose::{CborError, CoseError, Sign1, Tagging};

/// A token whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    pub(super) tag: u64,
    pub(super) platform: Sign1<'a>,
    pub(super) platform_claims: PlatformClaims,
    pub(super) realm: Sign1<'a>,
    pub(super) realm_claims: RealmClaims,
}

impl<'a> Token<'a> {
    /// Longest token that is read, in bytes.
    pub const MAX_LEN: usize = 32 * 1024;

    /// Reads one token with nothing behind it: a map of two signed objects (tag
    /// 399, CCA until draft 01), or of two records with a media type and a signed
    /// object (tag 907, RMM, section A7.2.1).
    ///
    /// # Errors
    ///
    /// [`TokenError`]. No cryptography is done here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TokenError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(TokenError::TooLong { got: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let tag = reader.tag()?;
        let is_record = match tag {
            Some(TAG_COLLECTION) => false,
            Some(TAG_RECORDS) => true,
            _ => return Err(TokenError::Tag { got: tag }),
        };
        let (mut platform, mut realm) = (None, None);
        reader.map(Lengths::Definite, 2, |reader, key| {
            let part = match key {
                Key::Integer(PLATFORM) => &mut platform,
                Key::Integer(REALM) => &mut realm,
                _ => return Err(TokenError::UnknownPart),
            };
            *part = Some(read_part(reader, is_record)?);
            Ok(())
        })?;
        reader.finish()?;
        let platform = platform.ok_or(TokenError::Missing { part: "platform" })?;
        let realm = realm.ok_or(TokenError::Missing { part: "realm" })?;
        Self::split(tag.unwrap_or_default(), platform, realm)
    }

    fn split(tag: u64, platform: &'a [u8], realm: &'a [u8]) -> Result<Self, TokenError> {
        let signed = |part, bytes| {
            Sign1::parse(bytes, Tagging::Required)
                .map_err(|source| TokenError::Signed { part, source })
        };
        let claims = |part| move |source| TokenError::Claims { part, source };
        let platform = signed("platform", platform)?;
        let realm = signed("realm", realm)?;
        Ok(Self {
            tag,
            platform_claims: PlatformClaims::parse(platform.payload())
                .map_err(claims("platform"))?,
            realm_claims: RealmClaims::parse(realm.payload()).map_err(claims("realm"))?,
            platform,
            realm,
        })
    }
}

fn read_part<'a>(reader: &mut Reader<'a>, is_record: bool) -> Result<&'a [u8], TokenError> {
    if is_record {
        reader.array_of(2)?;
        if reader.unsigned()? != CONTENT_FORMAT_EAT_CWT {
            return Err(TokenError::MediaType);
        }
    }
    Ok(reader.bytes(Token::MAX_LEN)?)
}

/// Why bytes were refused as a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The CBOR of the collection is not what it should be.
    #[error("collection: {0}")]
    Cbor(#[from] CborError),

    /// The claims of a part are not what they should be.
    #[error("{part} token: {source}")]
    Claims {
        /// Which part.
        part: &'static str,
        /// What is wrong with them.
        source: ClaimError,
    },

    /// A record holds something else than a token.
    #[error("a part is not of the content format {CONTENT_FORMAT_EAT_CWT}")]
    MediaType,

    /// A part is missing.
    #[error("{part} token is missing")]
    Missing {
        /// Which part.
        part: &'static str,
    },

    /// A part is no signed object.
    #[error("{part} token: {source}")]
    Signed {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        source: CoseError,
    },

    /// The token has another tag, or none.
    #[error("tag {got:?}, expected {TAG_COLLECTION} or {TAG_RECORDS}")]
    Tag {
        /// Its tag.
        got: Option<u64>,
    },

    /// The input is longer than [`Token::MAX_LEN`].
    #[error("token is {got} bytes long, at most {} are read", Token::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// A part is there that is neither the platform's nor the realm's.
    #[error("unknown part")]
    UnknownPart,
}

const TAG_COLLECTION: u64 = 399;
const TAG_RECORDS: u64 = 907;
const PLATFORM: i64 = 44234;
const REALM: i64 = 44241;
/// `application/eat+cwt` in IANA's registry "CoAP Content-Formats".
const CONTENT_FORMAT_EAT_CWT: u64 = 263;

#[cfg(test)]
mod tests;

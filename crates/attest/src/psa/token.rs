//! The token: one signed object (PSA, section 5.2).

use super::claims::ClaimsSet;
use crate::arm::ClaimError;
use crate::cose::{CoseError, Sign1, Tagging};

/// A token whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    pub(super) envelope: Sign1<'a>,
    pub(super) claims: ClaimsSet,
}

impl<'a> Token<'a> {
    /// Longest token that is read, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Reads one token with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`TokenError`]. No cryptography is done here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TokenError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(TokenError::TooLong { got: bytes.len() });
        }
        let envelope = Sign1::parse(bytes, Tagging::Required).map_err(|error| match error {
            CoseError::Tag {
                got: Some(TAG_MAC0),
            } => TokenError::Symmetric,
            other => TokenError::Cose(other),
        })?;
        Ok(Self {
            claims: ClaimsSet::parse(envelope.payload())?,
            envelope,
        })
    }
}

/// Why bytes were refused as a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The claims are not what they should be.
    #[error(transparent)]
    Claims(#[from] ClaimError),

    /// The signed object is not what it should be.
    #[error(transparent)]
    Cose(CoseError),

    /// The token is not signed: its code is made with a key that whoever checks
    /// it has as well.
    #[error("token has a symmetric code and no signature")]
    Symmetric,

    /// The input is longer than [`Token::MAX_LEN`].
    #[error("token is {got} bytes long, at most {} are read", Token::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}

/// `COSE_Mac0` (RFC 9052, table 1).
const TAG_MAC0: u64 = 17;

#[cfg(test)]
mod tests;

//! What an unverified quote says about the collateral it needs.

use super::pck::Platform;
use super::quote::{Certification, Quote, QuoteError};
use super::signed::certificates;
use crate::x509::Certificate;

/// What to ask Intel's provisioning certification service for.
///
/// It comes from a quote whose signature is **not** checked. It is good for
/// choosing what to fetch, and for nothing else; what is fetched is verified
/// together with the quote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlatformQuery {
    fmspc: [u8; 6],
    authority: PckAuthority,
}

/// Which of Intel's authorities issued the certificate of the platform (PCK).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PckAuthority {
    /// Of platforms that were registered as a whole.
    Platform,
    /// Of single processors.
    Processor,
}

impl PlatformQuery {
    /// Reads the query out of a quote, behind which there may be padding.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn of_quote(bytes: &[u8]) -> Result<Self, QueryError> {
        let quote = Quote::length(bytes).and_then(|length| bytes.get(..length));
        let quote = Quote::parse(quote.unwrap_or(bytes)).map_err(QueryError::Quote)?;
        let Certification::Chain(text) = quote.certification else {
            return Err(QueryError::NoCertificate);
        };
        let chain = certificates(text).map_err(|_| QueryError::Certificate)?;
        let leaf = chain.first().ok_or(QueryError::Certificate)?;
        Self::of_certificate(leaf).ok_or(QueryError::Certificate)
    }

    /// The platform's family, model, stepping, type and customised SKU.
    #[must_use]
    pub fn fmspc(&self) -> &[u8; 6] {
        &self.fmspc
    }

    /// Who issued the certificate.
    #[must_use]
    pub fn authority(&self) -> PckAuthority {
        self.authority
    }

    fn of_certificate(leaf: &Certificate) -> Option<Self> {
        let issuer = leaf.issuer().common_name().ok()??;
        let authority = match &*issuer.value() {
            "Intel SGX PCK Platform CA" => PckAuthority::Platform,
            "Intel SGX PCK Processor CA" => PckAuthority::Processor,
            _ => return None,
        };
        Some(Self {
            fmspc: Platform::read(leaf)?.fmspc,
            authority,
        })
    }
}

impl PckAuthority {
    /// The name that the service's addresses have.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }
}

/// Why a quote does not say what collateral it needs.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The certificate of the platform is malformed, or not one of Intel's kind.
    #[error("the quote's PCK certificate is malformed")]
    Certificate,

    /// The quote names its platform in another way than by its certificates.
    #[error("the quote does not carry the certificates of its PCK")]
    NoCertificate,

    /// The bytes are not a quote.
    #[error(transparent)]
    Quote(QuoteError),
}

#[cfg(test)]
mod tests;

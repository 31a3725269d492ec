//! Signed CBOR objects (COSE, RFC 9052), as far as evidence needs them.
//!
//! ```text
//! bytes ──Sign1::parse──▶ Sign1 ──is_signed_by(key)──▶ yes or no
//!                           └─payload──▶ cbor::Reader, which the formats read with
//! ```
//!
//! Nothing is encoded again: the signature is verified over the protected header
//! and the payload as they came. The algorithm is the one of the protected
//! header; one that is only in the unprotected header was not signed and is
//! refused. `minicbor` reads the single items and `cbor` adds what strictness
//! needs: shortest heads, unique keys, bounds, nothing behind the end. A COSE
//! library would bring a second CBOR decoder that accepts more encodings.

pub(crate) mod cbor;
mod sign1;

pub use cbor::CborError;
pub use sign1::CoseError;
#[cfg(test)]
pub(crate) use sign1::signed_bytes;
pub(crate) use sign1::{Algorithm, Sign1, Tagging};

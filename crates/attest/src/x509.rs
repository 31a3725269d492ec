//! X.509 certificates (RFC 5280), as far as evidence needs them.
//!
//! ```text
//! DER ──Certificate::parse──▶ Certificate ──┐
//! DER ──Certificate::parse──▶ Certificate ──┴──path::verify(pinned keys, now)──▶ leaf key
//! ```
//!
//! Roots are pinned by key: a path is good only if its last certificate holds a
//! key whose `SubjectPublicKeyInfo` has a known digest. Vendors' certificates
//! break small rules (serial number 0, an encoded default), which is accepted;
//! everything else is strict DER.

pub(crate) mod certificate;
pub(crate) mod crl;
pub(crate) mod known;
pub(crate) mod ocsp;
pub(crate) mod path;
pub(crate) mod pem;
pub(crate) mod signed;

pub use certificate::{Certificate, CertificateError};
pub use path::PathError;

//! Predicts what a confidential VM measures when it is started.
//!
//! Evidence says *what* runs, as a digest. Whoever holds the files that the VM is
//! started with can compute that digest without any special hardware, and compare.
//!
//! ```text
//! firmware image ─▶ snp::Firmware ─(guest: processors, kernel)─▶ launch digest
//!                └▶ tdx::Tdvf ─────(order of pages)────────────▶ MRTD
//! unified kernel image ─▶ uefi::UnifiedKernel ─▶ PCR 4, 9, 11 and RTMR 1, 2
//! ```
//!
//! The crate does no I/O and reads no clock: bytes in, digests out, every size
//! bounded. It verifies no evidence; `subrosa-attest` does. What is predicted from
//! what, and what is not predicted, is `docs/verify/launch-measurement.md`.

mod digest;
mod field;
mod footer;
mod register;

pub mod snp;
pub mod tdx;
pub mod uefi;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod vector_tests;

pub use digest::{Sha256Digest, Sha384Digest};
pub use footer::{FooterError, Guid};
pub use register::{Bank, Register};

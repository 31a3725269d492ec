//! Collects evidence of the machine it runs on.
//!
//! Evidence goes to devices, which judge it with crate `attest`; nothing here
//! does. What each interface needs (files, devices, a library that is loaded at
//! run time) is behind one trait:
//!
//! ```text
//! key configuration ──Challenge──▶ Collector (graphics processors) ──┐ digest goes into
//!                   ──Challenge──▶ Collector (platform) ◀────────────┘ the platform's challenge
//!                                      │ Evidence
//!            collateral files ────▶ Machine::bundle ──▶ Bundle
//! ```
//!
//! | platform | interface | module |
//! |---|---|---|
//! | AMD SEV-SNP, Intel TDX, Arm CCA | configfs-tsm | [`tsm`] |
//! | AWS Nitro Enclaves | `/dev/nsm` | [`nitro`] |
//! | Intel SGX under Gramine | `/dev/attestation` | [`gramine`] |
//! | TPM 2.0 | `/dev/tpmrm0` | [`tpm`] |
//! | NVIDIA devices | NVML | [`nvidia`] |
//!
//! Every read is bounded, and every collector works under a deadline
//! ([`Machine`]), since kernel, host and hardware may answer late or never.
//!
//! Read the modules in this order: [`challenge`], [`machine`], [`settings`], then
//! the platforms.

pub mod challenge;
pub mod error;
pub mod gramine;
pub mod machine;
pub mod settings;
pub mod snp;
pub mod tpm;
pub mod tsm;

#[cfg(feature = "nitro")]
pub mod nitro;
#[cfg(feature = "nvidia")]
pub mod nvidia;
#[cfg(feature = "development")]
pub mod simulated;

mod collateral;
mod deadline;
mod file;
mod stapled;
mod tdx;

pub use challenge::Challenge;
pub use error::CollectError;
pub use machine::{Collector, Evidence, Machine};
pub use stapled::Stapled;

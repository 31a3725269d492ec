//! Builds the measured image, predicts what it measures, and starts it.
//!
//! ```text
//! source ─cargo──────────▶ subrosa-enclave ─┐
//!         configuration, model, libraries ──┴▶ Root ──▶ root.img + hash tree ─┐ root hash
//! pinned kernel package ─▶ kernel, modules ─┐                                 ▼
//! source ─cargo──────────▶ subrosa-init ────┴▶ initrd ─────▶ uki.efi ◀── command line
//!                                                               │
//! Measurements (PCR 4, 9, 11 · SNP launch digests · MRTD, RTMR) ◀┘ from the files alone
//! ```
//!
//! The same inputs give the same bytes: no time, no path, no order of a folder, no
//! user and no mask of permissions reaches a file. What the inputs are is listed in
//! `measurement.json`, each with its digest.
//!
//! Linux only. Reading and writing of formats is here; making file systems,
//! compiling and emulating are done by programs that are named in [`tool`].

pub mod build;
pub mod cpio;
pub mod elf;
pub mod error;
pub mod files;
pub mod host;
pub mod kernel;
pub mod measurement;
pub mod programs;
pub mod reproduce;
pub mod root;
pub mod stub;
pub mod tool;
pub mod uki;
pub mod unsigned;
pub mod verity;
pub mod vm;

pub use error::ImageError;

//! The image in a virtual machine: QEMU, firmware of Debian's package `ovmf`, and a
//! TPM in software.
//!
//! **This protects nobody from the host**: it runs the machine, and the TPM. It
//! shows that what boots is what was predicted.

mod machine;
mod tpm;

pub use machine::{Machine, Options};
pub use tpm::SoftwareTpm;

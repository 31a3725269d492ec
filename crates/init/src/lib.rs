//! The first program of the measured image.
//!
//! ```text
//! firmware ─▶ kernel ─▶ subrosa-init ─┬─▶ file systems of the kernel, modules of a list
//!                                     ├─▶ dm-verity over the root, by the hash in the command line
//!                                     ├─▶ one network address, written here
//!                                     └─▶ subrosa-enclave with the configuration in that root
//! ```
//!
//! Everything it does is written here or stands in the command line that it was
//! measured with. A word of the command line that it does not know stops the boot:
//! a host that could add one could change what runs. It reads no environment and
//! no other file, has no shell, and when the enclave ends it powers off.
//!
//! The library part says what the image must hold, for whoever builds one.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod boot;
pub mod command_line;
#[cfg(target_os = "linux")]
mod kernel;
pub mod layout;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod network;
mod requests;
pub mod verity;

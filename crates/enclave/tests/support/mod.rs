//! Starts the real program and speaks to it as a device does, through real
//! sockets.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    reason = "each test file uses a part of it"
)]

pub mod device;
pub mod http;
pub mod process;

pub use device::{Answer, Device};
pub use http::{Connection, Reply};
pub use process::Enclave;

//! A service of one's own on the simulated platform: for `try`, `serve
//! --development` and `proxy --start-development-service`.
//!
//! **It protects nothing**: its root was made on this machine. Everything else
//! is as with real hardware: the formats, the sealing, the checks.
//!
//! ```text
//! Plan ──prepare──▶ Prepared (root, configuration, policy on disk) ──start──▶ Service (a child process)
//! ```

mod files;
mod service;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(crate) use files::Prepared;
#[cfg(all(target_os = "linux", feature = "image"))]
pub(crate) use files::{demo_weights, named};
pub(crate) use service::Service;

/// What answers in a development service.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EngineFlags {
    /// Serve this GGUF file instead of the small demo model
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Serve with another engine: `echo` repeats what it is told
    #[arg(long, value_name = "ENGINE", conflicts_with = "model")]
    pub(crate) engine: Option<Engine>,
}

/// Engines that are no model.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Engine {
    /// The small demo model
    Demo,
    /// Repeats what it is told
    Echo,
}

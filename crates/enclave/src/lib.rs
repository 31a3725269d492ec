//! The measured service: it opens sealed exchanges, lets an engine answer, and
//! seals the answers.
//!
//! ```text
//! network ──▶ http ──sealed bytes──▶ epochs (keys, quotes, replay) ──▶ call (what is asked)
//!                                                                        │
//!         ◀── records on a tick ── streaming, answer ◀── events ── engine (crate inference)
//! ```
//!
//! It does not decide whether a device trusts it: evidence goes out, and
//! devices judge. It reads one configuration file ([`config`]) and nothing from
//! the environment. What it writes is one line on stdout when it is ready, and
//! events on stderr that cannot hold what users say ([`log`]).
//!
//! Read the modules in this order: [`config`], [`epochs`], [`service`], [`run`].
//! Evidence is collected by crate `evidence`. The formats are `spec/service.md`, `spec/channel.md`
//! and `spec/configuration.md`.

pub mod clock;
pub mod collect;
pub mod config;
pub mod engine;
pub mod epochs;
pub mod hardening;
pub mod log;
pub mod metrics;
pub mod run;
pub mod service;

mod directory;
mod log_files;

//! The untrusted front of a service.
//!
//! ```text
//! browser ─▶ web application (files)
//!         ─▶ /subrosa/v1/…  ─▶ node          sealed: the edge passes bytes on
//!         ─▶ /store/v1/…    ─▶ database      sealed: the edge keeps bytes (spec/store.md)
//! ```
//!
//! Nothing here can open anything: the crate has no key of a user, and links neither the channel nor the engine. What it says is
//! checked by the device. It logs no request.
//!
//! Read the modules in this order: `config`, `service`, `store`, `passkeys`, `api`.

mod api;
mod assets;
mod config;
mod database;
mod error;
mod forward;
mod passkeys;
mod record;
mod service;
mod session;
mod store;

pub use config::{Address, Config, ConfigError, Limits, Origin};
pub use database::{Database, DatabaseError};
pub use service::{Service, ServiceError};

//! The client and the proxy against a node that is honest, and against one that is not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::default_trait_access,
    clippy::duration_suboptimal_units,
    clippy::format_push_string,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::semicolon_if_nothing_returned,
    clippy::unused_self,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod support;

#[cfg(feature = "development")]
mod attacks_on_answers;
#[cfg(feature = "development")]
mod attacks_on_keys;
#[cfg(feature = "development")]
mod attacks_on_proxy;
mod attacks_on_roots;
#[cfg(feature = "development")]
mod attacks_on_tls;
#[cfg(feature = "development")]
mod attacks_on_verification;
#[cfg(feature = "development")]
mod exchanges;
#[cfg(feature = "development")]
mod proxy;
#[cfg(feature = "development")]
mod receipts;
#[cfg(feature = "development")]
mod retries;

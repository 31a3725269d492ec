//! What a browser needs of the device's side, as WebAssembly.
//!
//! A thin surface: every rule is in `subrosa-attest`, `subrosa-channel`, `subrosa-client` and `subrosa-vault`. The page brings
//! bytes of the network, the time, and what a person does; it gets back what was verified. A [`Failure`] has a stable
//! code; programs decide by it.
//!
//! ```text
//! policy ─▶ Verifier ─judge(directory, bundle)─▶ Node ─seal─▶ Sent ─push─▶ events, receipt
//! passkey, code ─▶ Member ─▶ Chronicle ─seal─▶ records ─accept─▶ contents
//! ```
//!
//! What it does not do yet: follow a transparency log. A policy that names one is refused.

mod exchange;
mod failure;
mod history;
mod node;
mod random;

pub use exchange::Sent;
pub use failure::Failure;
pub use history::{
    Begun, Change, Chronicle, Contents, Member, Secret, new_recovery_words, open_share, prf_input,
    recovery_login, seal_share,
};
pub use node::{Listing, Node, Verifier};

#[cfg(test)]
mod tests;

//! What a browser needs of the device's side, as WebAssembly.
//!
//! A thin surface: every rule is in `subrosa-attest`, `subrosa-channel`, `subrosa-client` and `subrosa-vault`. The page brings
//! bytes of the network, the time, and what a person does; it gets back what was verified. A [`Failure`] has a stable
//! code; programs decide by it.
//!
//! ```text
//! policy ─▶ Verifier ─inquire(directory, bundle)─▶ Inquiry ─tiles of the log─▶ Judged ─▶ Node ─seal─▶ Sent ─push─▶ events, receipt
//!                                                                            └─call─▶ Call ─push─▶ an API's own answer, receipt
//! passkey, code ─▶ Member ─▶ Chronicle ─seal─▶ records ─accept─▶ contents
//! ```

mod call;
mod exchange;
mod failure;
mod history;
mod inquiry;
mod node;
mod random;

pub use call::Call;
pub use exchange::Sent;
pub use failure::Failure;
pub use history::{
    Begun, Change, Chronicle, Contents, Member, Secret, new_recovery_words, open_share, prf_input,
    recovery_login, seal_share,
};
pub use inquiry::{Inquiry, Judged};
pub use node::{Listing, Node, Verifier};

#[cfg(test)]
mod tests;

//! One module per endpoint: reads its request body, and writes its body where that is not an answer.

pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod messages;
pub mod models;
pub mod responses;

mod content;
mod format;
mod sampling;
mod tools;

use crate::error::ApiError;
use crate::request::{Api, GenerateRequest};

/// Reads the body of a request to `api`.
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(api: Api, body: &[u8]) -> Result<GenerateRequest, ApiError> {
    match api {
        Api::Chat => chat::parse(body),
        Api::Completions => completions::parse(body),
        Api::Messages => messages::parse(body),
        Api::Responses => responses::parse(body),
    }
}

#[cfg(test)]
mod testing;

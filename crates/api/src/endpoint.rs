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

#[cfg(test)]
mod testing;

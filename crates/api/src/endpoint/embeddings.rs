//! OpenAI `POST /v1/embeddings`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::endpoint::sampling;
use crate::error::ApiError;
use crate::fields::{Fields, invalid, missing, string, unsupported};
use crate::json::Json;
use crate::limits::MAX_EMBEDDING_INPUTS;

/// A request for embeddings.
#[derive(Clone, Eq, PartialEq)]
pub struct EmbeddingsRequest {
    /// The model's name.
    pub model: String,
    /// The texts, at least one, none empty.
    pub inputs: Vec<String>,
    /// How the answer writes vectors.
    pub encoding: Encoding,
}

/// Shows counts, never text.
impl fmt::Debug for EmbeddingsRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingsRequest")
            .field("inputs", &self.inputs.len())
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

/// How an answer writes vectors.
#[expect(clippy::exhaustive_enums, reason = "the API defines these two")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Base64 of little-endian 32-bit floats.
    Base64,
    /// JSON numbers.
    Float,
}

/// Reads a request. Token arrays and `dimensions` are refused by name.
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(body: &[u8]) -> Result<EmbeddingsRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let request = EmbeddingsRequest {
        model: sampling::model(&mut fields)?,
        inputs: inputs(&mut fields)?,
        encoding: encoding(&mut fields)?,
    };
    sampling::drop_user(&mut fields)?;
    fields.finish()?;
    Ok(request)
}

/// Writes the answer: one vector per input, in order, and the number of tokens read.
#[must_use]
pub fn body(model: &str, vectors: &[Vec<f32>], encoding: Encoding, prompt_tokens: u32) -> Vec<u8> {
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            let embedding = match encoding {
                Encoding::Base64 => json!(base64_floats(vector)),
                Encoding::Float => json!(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens});
    json!({"object": "list", "data": data, "model": model, "usage": usage})
        .to_string()
        .into_bytes()
}

fn base64_floats(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}

fn inputs(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let values = match fields.require("input")? {
        text @ Json::String(_) => return Ok(vec![input(text, "input".to_owned())?]),
        Json::Array(values) if values.len() <= MAX_EMBEDDING_INPUTS => values,
        Json::Array(values) if matches!(values.first(), Some(Json::String(_))) => {
            let expected = format!("an array of at most {MAX_EMBEDDING_INPUTS} texts");
            return Err(invalid("input", &expected));
        }
        Json::Array(_) => return Err(tokens("input[0]".to_owned())),
        _ => return Err(invalid("input", "text or an array of texts")),
    };
    if values.is_empty() {
        return Err(missing("input[0]"));
    }
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| input(value, format!("input[{index}]")))
        .collect()
}

fn input(value: Json, path: String) -> Result<String, ApiError> {
    match value {
        Json::Number(_) | Json::Array(_) => Err(tokens(path)),
        value => {
            let text = string(value, path.clone(), usize::MAX)?;
            if text.is_empty() {
                return Err(invalid(path, "text that is not empty"));
            }
            Ok(text)
        }
    }
}

fn tokens(path: String) -> ApiError {
    unsupported(path, "is supported only as text, not as tokens")
}

fn encoding(fields: &mut Fields) -> Result<Encoding, ApiError> {
    match fields.string("encoding_format", usize::MAX)?.as_deref() {
        None | Some("float") => Ok(Encoding::Float),
        Some("base64") => Ok(Encoding::Base64),
        Some(_) => Err(invalid("encoding_format", "`float` or `base64`")),
    }
}

#[cfg(test)]
mod tests;

//! OpenAI `POST /v1/completions`.

use crate::endpoint::sampling;
use crate::error::ApiError;
use crate::fields::{Fields, integer, invalid, missing, string, unsupported};
use crate::json::Json;
use crate::limits::MAX_COMPLETION_LOGPROBS;
use crate::request::{Api, GenerateRequest, Input, ResponseFormat, Sampling, ToolChoice};

/// The documented default of `max_tokens` in this API.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Reads a request.
///
/// `prompt` is one text, or an array of one. `echo`, `suffix` and `best_of` are refused unless
/// they ask for nothing.
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(body: &[u8]) -> Result<GenerateRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let model = sampling::model(&mut fields)?;
    let prompt = prompt(&mut fields)?;
    let max_tokens = sampling::max_tokens(&mut fields, "max_tokens")?;
    let sampling = Sampling {
        max_tokens: Some(max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)),
        logprobs: logprobs(&mut fields)?,
        ..sampling::openai(&mut fields)?
    };
    let (stream, include_usage) = sampling::stream(&mut fields)?;
    fields.only_false("echo", "is not supported")?;
    fields.only_text("suffix", &[""])?;
    fields.only(
        "best_of",
        |value| integer(value) == Some(i64::from(sampling.n)),
        "is supported only when it equals `n`",
    )?;
    fields.finish()?;
    Ok(GenerateRequest {
        api: Api::Completions,
        model,
        input: Input::Prompt(prompt),
        sampling,
        response_format: ResponseFormat::Text,
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        parallel_tool_calls: true,
        stream,
        include_usage,
        conversation: None,
    })
}

fn prompt(fields: &mut Fields) -> Result<String, ApiError> {
    match fields.take("prompt") {
        None => Err(missing("prompt")),
        Some(Json::Array(values)) => {
            let [value] = <[Json; 1]>::try_from(values)
                .map_err(|_| unsupported("prompt", "is supported only with one text"))?;
            match value {
                Json::String(text) => Ok(text),
                Json::Number(_) | Json::Array(_) => Err(unsupported(
                    "prompt[0]",
                    "is supported only as text, not as tokens",
                )),
                _ => Err(invalid("prompt[0]", "text")),
            }
        }
        Some(value) => string(value, "prompt".to_owned(), usize::MAX),
    }
}

/// Here a number: how many alternatives to report.
fn logprobs(fields: &mut Fields) -> Result<Option<u8>, ApiError> {
    let top = fields.integer("logprobs", 0..=u32::from(MAX_COMPLETION_LOGPROBS))?;
    Ok(top.and_then(|top| u8::try_from(top).ok()))
}

#[cfg(test)]
mod tests;

//! OpenAI `POST /v1/chat/completions`.

use crate::endpoint::{content, format, sampling, tools};
use crate::error::ApiError;
use crate::fields::{Fields, invalid, missing};
use crate::json::Json;
use crate::limits::{MAX_ID_BYTES, MAX_MESSAGES, MAX_NAME_BYTES};
use crate::request::{Api, GenerateRequest, Input, Message, Role, Sampling, ToolChoice};

/// Reads a request.
///
/// Beyond OpenAI's fields, `top_k`, `min_p` and `repeat_penalty` are known. `store` may only be
/// false, `n` at most 8; image, audio and file parts, `functions`, `reasoning_effort` and the
/// platform's other features are refused by name.
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(body: &[u8]) -> Result<GenerateRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let model = sampling::model(&mut fields)?;
    let messages = messages(&mut fields)?;
    let sampling = Sampling {
        max_tokens: max_tokens(&mut fields)?,
        logprobs: sampling::logprobs(&mut fields)?,
        ..sampling::openai(&mut fields)?
    };
    let tools = tools::chat(&mut fields)?;
    let (stream, include_usage) = sampling::stream(&mut fields)?;
    let request = GenerateRequest {
        api: Api::Chat,
        model,
        input: Input::Chat(messages),
        sampling,
        response_format: format::chat(&mut fields)?,
        tool_choice: tools::check_choice(tool_choice(&mut fields)?, &tools)?,
        tools,
        parallel_tool_calls: fields.boolean("parallel_tool_calls")?.unwrap_or(true),
        stream,
        include_usage,
        conversation: None,
    };
    sampling::platform(&mut fields)?;
    fields.only(
        "modalities",
        |value| *value == Json::Array(vec![Json::String("text".to_owned())]),
        "is supported only with the value [\"text\"]",
    )?;
    fields.finish()?;
    Ok(request)
}

/// `max_completion_tokens`, or `max_tokens`, its older name.
fn max_tokens(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let new = sampling::max_tokens(fields, "max_completion_tokens")?;
    let old = sampling::max_tokens(fields, "max_tokens")?;
    if new.is_some() && old.is_some() && new != old {
        return Err(invalid("max_tokens", "equal to `max_completion_tokens`"));
    }
    Ok(new.or(old))
}

fn tool_choice(fields: &mut Fields) -> Result<ToolChoice, ApiError> {
    match fields.take("tool_choice") {
        None => Ok(ToolChoice::Auto),
        Some(Json::String(word)) => {
            tools::choice_word(&word).ok_or_else(|| tools::unsupported_choice("tool_choice"))
        }
        Some(value) => {
            let mut choice = Fields::of(value, "tool_choice".to_owned())?;
            choice.require_type("function")?;
            let function = choice.require("function")?;
            let mut function = Fields::of(function, choice.at("function"))?;
            let name = function.require_name("name", MAX_NAME_BYTES)?;
            function.finish()?;
            choice.finish()?;
            Ok(ToolChoice::Named(name))
        }
    }
}

fn messages(fields: &mut Fields) -> Result<Vec<Message>, ApiError> {
    let values = fields.array("messages", MAX_MESSAGES)?;
    if values.is_empty() {
        return Err(missing("messages"));
    }
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| message(value, format!("messages[{index}]")))
        .collect()
}

fn message(value: Json, path: String) -> Result<Message, ApiError> {
    let mut fields = Fields::of(value, path)?;
    let role = role(&mut fields)?;
    let content = fields
        .take("content")
        .map(|value| {
            let path = fields.at("content");
            content::text_parts(value, &path, &["text"], content::nothing_else)
        })
        .transpose()?;
    let mut message = Message::from_parts(role, Vec::new());
    if role == Role::Assistant {
        message.tool_calls = tools::chat_calls(&mut fields)?;
        // OpenAI sends it in every answer, so clients send it back.
        fields.only_empty("annotations")?;
    }
    if role == Role::Tool {
        message.tool_call_id = Some(fields.require_id("tool_call_id", MAX_ID_BYTES)?);
    }
    message.parts = match content {
        Some(parts) => parts,
        None if message.tool_calls.is_empty() => return Err(missing(fields.at("content"))),
        None => Vec::new(),
    };
    message.name = fields.string("name", MAX_NAME_BYTES)?;
    fields.finish()?;
    Ok(message)
}

fn role(fields: &mut Fields) -> Result<Role, ApiError> {
    match fields.require_string("role", usize::MAX)?.as_str() {
        "assistant" => Ok(Role::Assistant),
        "developer" => Ok(Role::Developer),
        "system" => Ok(Role::System),
        "tool" => Ok(Role::Tool),
        "user" => Ok(Role::User),
        _ => Err(invalid(
            fields.at("role"),
            "`assistant`, `developer`, `system`, `tool` or `user`",
        )),
    }
}

#[cfg(test)]
mod tests;

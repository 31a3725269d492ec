//! Anthropic `POST /v1/messages`.

use crate::endpoint::{content, sampling, tools};
use crate::error::ApiError;
use crate::fields::{Fields, invalid, missing, unsupported};
use crate::json::Json;
use crate::limits::{MAX_ID_BYTES, MAX_MESSAGES, MAX_NAME_BYTES, MAX_PARTS, MAX_TOKENS};
use crate::request::{
    Api, GenerateRequest, Input, Message, ResponseFormat, Role, Sampling, ToolCall, ToolChoice,
};

/// What a failed tool's result starts with, since chat templates have no flag for it.
const TOOL_ERROR: &str = "Error: ";

/// Reads a request.
///
/// `thinking` may only be disabled; `cache_control`, documents and images are refused by name; so
/// is a last message of the assistant, because continuing it is not supported. `metadata` is
/// dropped. A tool result with `is_error` becomes text that starts with "Error: ".
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(body: &[u8]) -> Result<GenerateRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let model = sampling::model(&mut fields)?;
    let max_tokens = fields.integer("max_tokens", 1..=MAX_TOKENS)?;
    let sampling = Sampling {
        max_tokens: Some(max_tokens.ok_or_else(|| missing("max_tokens"))?),
        top_k: fields.integer("top_k", 0..=u32::MAX)?,
        stop: sampling::stop_list(&mut fields, "stop_sequences")?,
        ..sampling::temperature(&mut fields, 1.0)?
    };
    let messages = conversation(&mut fields)?;
    let tools = tools::messages(&mut fields)?;
    let (choice, parallel_tool_calls) = tool_choice(&mut fields)?;
    let request = GenerateRequest {
        api: Api::Messages,
        model,
        input: Input::Chat(messages),
        sampling,
        response_format: ResponseFormat::Text,
        tool_choice: tools::check_choice(choice, &tools)?,
        tools,
        parallel_tool_calls,
        stream: fields.boolean("stream")?.unwrap_or(false),
        include_usage: true,
        conversation: None,
    };
    drop_metadata(&mut fields)?;
    only_disabled_thinking(&mut fields)?;
    fields.only_text("service_tier", &["auto", "standard_only"])?;
    fields.finish()?;
    Ok(request)
}

fn drop_metadata(fields: &mut Fields) -> Result<(), ApiError> {
    if let Some(mut metadata) = fields.object("metadata")? {
        metadata.string("user_id", 512)?;
        metadata.finish()?;
    }
    Ok(())
}

fn only_disabled_thinking(fields: &mut Fields) -> Result<(), ApiError> {
    let disabled = |value: &Json| value.get("type").and_then(Json::as_str) == Some("disabled");
    fields.only("thinking", disabled, "is not supported")
}

/// The choice, and whether one answer may hold more than one call.
fn tool_choice(fields: &mut Fields) -> Result<(ToolChoice, bool), ApiError> {
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok((ToolChoice::Auto, true));
    };
    let parsed = match choice.require_string("type", usize::MAX)?.as_str() {
        "any" => ToolChoice::Required,
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.require_name("name", MAX_NAME_BYTES)?),
        _ => {
            return Err(invalid(
                choice.at("type"),
                "`any`, `auto`, `none` or `tool`",
            ));
        }
    };
    let one = choice
        .boolean("disable_parallel_tool_use")?
        .unwrap_or(false);
    choice.finish()?;
    Ok((parsed, !one))
}

fn conversation(fields: &mut Fields) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    if let Some(system) = fields.take("system") {
        let parts = content::text_parts(system, "system", &["text"], no_citations)?;
        messages.push(Message::from_parts(Role::System, parts));
    }
    let values = fields.array("messages", MAX_MESSAGES)?;
    let Some(last) = values.len().checked_sub(1) else {
        return Err(missing("messages"));
    };
    for (index, value) in values.into_iter().enumerate() {
        let mut message = Fields::of(value, format!("messages[{index}]"))?;
        match message.require_string("role", usize::MAX)?.as_str() {
            "user" => user(&mut message, &mut messages)?,
            "assistant" if index == last => {
                return Err(unsupported(
                    message.at("role"),
                    "must be `user` in the last message: continuing an answer is not supported",
                ));
            }
            "assistant" => messages.push(assistant(&mut message)?),
            _ => return Err(invalid(message.at("role"), "`user` or `assistant`")),
        }
        message.finish()?;
    }
    Ok(messages)
}

/// Tool results become messages of their own; the text around them keeps its place.
fn user(fields: &mut Fields, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    let mut parts = Vec::new();
    let flush = |parts: &mut Vec<String>, messages: &mut Vec<Message>| {
        if !parts.is_empty() {
            messages.push(Message::from_parts(Role::User, std::mem::take(parts)));
        }
    };
    for mut block in blocks(fields)? {
        let kind = block.require_string("type", usize::MAX)?;
        match kind.as_str() {
            "text" => parts.push(text(&mut block)?),
            "tool_result" => {
                flush(&mut parts, messages);
                messages.push(tool_result(&mut block)?);
            }
            _ => return Err(unsupported_block(&block, "`text` or `tool_result`")),
        }
        block.finish()?;
    }
    flush(&mut parts, messages);
    Ok(())
}

fn assistant(fields: &mut Fields) -> Result<Message, ApiError> {
    let mut message = Message::from_parts(Role::Assistant, Vec::new());
    for mut block in blocks(fields)? {
        let kind = block.require_string("type", usize::MAX)?;
        match kind.as_str() {
            "text" => message.parts.push(text(&mut block)?),
            "tool_use" => message.tool_calls.push(tool_use(&mut block)?),
            _ => return Err(unsupported_block(&block, "`text` or `tool_use`")),
        }
        block.finish()?;
    }
    Ok(message)
}

/// The content blocks of a message; a string is one text block.
fn blocks(fields: &mut Fields) -> Result<Vec<Fields>, ApiError> {
    let path = fields.at("content");
    let values = match fields.require("content")? {
        text @ Json::String(_) => {
            let block = vec![
                ("type".to_owned(), Json::String("text".to_owned())),
                ("text".to_owned(), text),
            ];
            return Ok(vec![Fields::of(Json::Object(block), path)?]);
        }
        Json::Array(values) if (1..=MAX_PARTS).contains(&values.len()) => values,
        _ => {
            let expected = format!("text or an array of 1 to {MAX_PARTS} blocks");
            return Err(invalid(path, &expected));
        }
    };
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| Fields::of(value, format!("{path}[{index}]")))
        .collect()
}

fn text(block: &mut Fields) -> Result<String, ApiError> {
    no_citations(block)?;
    block.require_string("text", usize::MAX)
}

fn no_citations(block: &mut Fields) -> Result<(), ApiError> {
    block.only_empty("citations")
}

fn tool_use(block: &mut Fields) -> Result<ToolCall, ApiError> {
    let input = block.require("input")?;
    if !matches!(input, Json::Object(_)) {
        return Err(invalid(block.at("input"), "an object"));
    }
    Ok(ToolCall {
        id: block.require_id("id", MAX_ID_BYTES)?,
        name: block.require_name("name", MAX_NAME_BYTES)?,
        arguments: input.to_string(),
    })
}

fn tool_result(block: &mut Fields) -> Result<Message, ApiError> {
    let id = block.require_id("tool_use_id", MAX_ID_BYTES)?;
    let path = block.at("content");
    let mut parts = match block.take("content") {
        None => vec![String::new()],
        Some(content) => content::text_parts(content, &path, &["text"], no_citations)?,
    };
    if block.boolean("is_error")?.unwrap_or(false) {
        parts.insert(0, TOOL_ERROR.to_owned());
    }
    Ok(Message::tool_result(id, parts))
}

fn unsupported_block(block: &Fields, known: &str) -> ApiError {
    let reason = format!("is supported only with the value {known}");
    unsupported(block.at("type"), &reason)
}

#[cfg(test)]
mod tests;

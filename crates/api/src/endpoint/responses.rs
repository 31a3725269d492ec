//! OpenAI `POST /v1/responses`, without state.
//!
//! OpenAI's default of `store` is true. Nothing is stored here, so an absent `store` means false
//! and `store: true` is refused, as is everything that refers to something stored.

use crate::endpoint::{content, format, sampling, tools};
use crate::error::ApiError;
use crate::fields::{Fields, invalid, missing, unsupported};
use crate::json::Json;
use crate::limits::{MAX_ID_BYTES, MAX_MESSAGES, MAX_NAME_BYTES};
use crate::request::{Api, GenerateRequest, Input, Message, Role, Sampling, ToolCall, ToolChoice};

/// The one value of `include` that is supported.
const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request.
///
/// `input` is text or an array of messages, `function_call` and `function_call_output` items;
/// the items of an earlier answer can be sent back as they came, and their `id`, `status` and
/// `logprobs` mean nothing here. `instructions` become the first message.
///
/// # Errors
///
/// An [`ApiError`] that names the field.
pub fn parse(body: &[u8]) -> Result<GenerateRequest, ApiError> {
    let mut fields = Fields::parse(body)?;
    let model = sampling::model(&mut fields)?;
    let messages = messages(&mut fields)?;
    let mut sampling = Sampling {
        max_tokens: sampling::max_tokens(&mut fields, "max_output_tokens")?,
        logprobs: logprobs(&mut fields)?,
        ..sampling::temperature(&mut fields, 2.0)?
    };
    sampling::extensions(&mut fields, &mut sampling)?;
    sampling::drop_user(&mut fields)?;
    let tools = tools::responses(&mut fields)?;
    let request = GenerateRequest {
        api: Api::Responses,
        model,
        input: Input::Chat(messages),
        sampling,
        response_format: text_format(&mut fields)?,
        tool_choice: tools::check_choice(tool_choice(&mut fields)?, &tools)?,
        tools,
        parallel_tool_calls: fields.boolean("parallel_tool_calls")?.unwrap_or(true),
        stream: stream(&mut fields)?,
        include_usage: true,
        conversation: None,
    };
    refuse_state(&mut fields)?;
    fields.finish()?;
    Ok(request)
}

fn refuse_state(fields: &mut Fields) -> Result<(), ApiError> {
    sampling::platform(fields)?;
    fields.only_false("background", "is not supported: nothing is stored")?;
    fields.only_text("truncation", &["disabled"])?;
    for name in ["previous_response_id", "conversation", "prompt"] {
        fields.only(
            name,
            |_| false,
            "is not supported: nothing is stored, so send the whole conversation as `input`",
        )?;
    }
    Ok(())
}

fn stream(fields: &mut Fields) -> Result<bool, ApiError> {
    let stream = fields.boolean("stream")?.unwrap_or(false);
    if let Some(mut options) = fields.object("stream_options")? {
        sampling::no_obfuscation(&mut options)?;
        options.finish()?;
    }
    Ok(stream)
}

fn text_format(fields: &mut Fields) -> Result<crate::request::ResponseFormat, ApiError> {
    let Some(mut text) = fields.object("text")? else {
        return Ok(crate::request::ResponseFormat::Text);
    };
    let format = format::responses(&mut text)?;
    text.only_text("verbosity", &["medium"])?;
    text.finish()?;
    Ok(format)
}

/// `include` switches log probabilities on, `top_logprobs` sets the alternatives.
fn logprobs(fields: &mut Fields) -> Result<Option<u8>, ApiError> {
    let top = sampling::top_logprobs(fields)?;
    let mut wanted = top.is_some_and(|top| top > 0);
    for (index, value) in fields.array("include", 16)?.into_iter().enumerate() {
        if value.as_str() != Some(INCLUDE_LOGPROBS) {
            let reason = format!("is supported only with the value `{INCLUDE_LOGPROBS}`");
            return Err(unsupported(format!("include[{index}]"), &reason));
        }
        wanted = true;
    }
    Ok(wanted.then(|| top.unwrap_or(0)))
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
            let name = choice.require_name("name", MAX_NAME_BYTES)?;
            choice.finish()?;
            Ok(ToolChoice::Named(name))
        }
    }
}

fn messages(fields: &mut Fields) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    if let Some(instructions) = fields.text("instructions")? {
        messages.push(Message::text(Role::System, instructions));
    }
    let items = match fields.require("input")? {
        Json::String(text) => {
            messages.push(Message::text(Role::User, text));
            return Ok(messages);
        }
        Json::Array(items) if items.len() <= MAX_MESSAGES => items,
        _ => {
            let expected = format!("text or an array of at most {MAX_MESSAGES} items");
            return Err(invalid("input", &expected));
        }
    };
    if items.is_empty() {
        return Err(missing("input[0]"));
    }
    for (index, value) in items.into_iter().enumerate() {
        let mut fields = Fields::of(value, format!("input[{index}]"))?;
        item(&mut fields, &mut messages)?;
        fields.finish()?;
    }
    Ok(messages)
}

fn item(fields: &mut Fields, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    let kind = fields.string("type", usize::MAX)?;
    fields.string("id", MAX_ID_BYTES)?;
    fields.string("status", MAX_NAME_BYTES)?;
    match kind.as_deref() {
        None | Some("message") => messages.push(message(fields)?),
        Some("function_call") => push_call(function_call(fields)?, messages),
        Some("function_call_output") => messages.push(function_call_output(fields)?),
        Some(_) => {
            return Err(unsupported(
                fields.at("type"),
                "is supported only with the value `message`, `function_call` or `function_call_output`",
            ));
        }
    }
    Ok(())
}

fn message(fields: &mut Fields) -> Result<Message, ApiError> {
    let role = match fields.require_string("role", usize::MAX)?.as_str() {
        "assistant" => Role::Assistant,
        "developer" => Role::Developer,
        "system" => Role::System,
        "user" => Role::User,
        _ => {
            return Err(invalid(
                fields.at("role"),
                "`assistant`, `developer`, `system` or `user`",
            ));
        }
    };
    let value = fields.require("content")?;
    let path = fields.at("content");
    let parts = if role == Role::Assistant {
        content::text_parts(value, &path, &["output_text", "input_text"], output_text)?
    } else {
        content::text_parts(value, &path, &["input_text"], content::nothing_else)?
    };
    Ok(Message::from_parts(role, parts))
}

/// What an answer's text part has beside its text.
fn output_text(part: &mut Fields) -> Result<(), ApiError> {
    part.only_empty("annotations")?;
    part.array("logprobs", usize::MAX).map(drop)
}

fn function_call(fields: &mut Fields) -> Result<ToolCall, ApiError> {
    Ok(ToolCall {
        id: fields.require_id("call_id", MAX_ID_BYTES)?,
        name: fields.require_name("name", MAX_NAME_BYTES)?,
        arguments: fields.require_string("arguments", usize::MAX)?,
    })
}

/// Calls of one turn are items of their own here and one message in chat templates.
fn push_call(call: ToolCall, messages: &mut Vec<Message>) {
    match messages.last_mut() {
        Some(last) if last.role == Role::Assistant => last.tool_calls.push(call),
        _ => {
            let mut message = Message::from_parts(Role::Assistant, Vec::new());
            message.tool_calls.push(call);
            messages.push(message);
        }
    }
}

fn function_call_output(fields: &mut Fields) -> Result<Message, ApiError> {
    let id = fields.require_id("call_id", MAX_ID_BYTES)?;
    let output = fields.require("output")?;
    let path = fields.at("output");
    let parts = content::text_parts(output, &path, &["input_text"], content::nothing_else)?;
    Ok(Message::tool_result(id, parts))
}

#[cfg(test)]
mod tests;

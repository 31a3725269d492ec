//! Functions a model may call, and which it must.

use crate::error::ApiError;
use crate::fields::{Fields, invalid, unsupported};
use crate::json::Json;
use crate::limits::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TOOLS};
use crate::request::{Tool, ToolCall, ToolChoice};

/// Chat: `tools[].function.{name, description, parameters, strict}`.
pub(super) fn chat(fields: &mut Fields) -> Result<Vec<Tool>, ApiError> {
    each(fields, |tool| {
        tool.require_type("function")?;
        let function = tool.require("function")?;
        let mut function = Fields::of(function, tool.at("function"))?;
        let parsed = function_tool(&mut function, "parameters", false)?;
        function.finish()?;
        Ok(parsed)
    })
}

/// Responses: the function's fields lie beside `type`; `strict` is on unless switched off.
pub(super) fn responses(fields: &mut Fields) -> Result<Vec<Tool>, ApiError> {
    each(fields, |tool| {
        tool.require_type("function")?;
        function_tool(tool, "parameters", true)
    })
}

/// Messages: `tools[].{name, description, input_schema}`.
pub(super) fn messages(fields: &mut Fields) -> Result<Vec<Tool>, ApiError> {
    each(fields, |tool| {
        tool.only_text("type", &["custom"])?;
        let parsed = function_tool(tool, "input_schema", false)?;
        match parsed.parameters {
            Some(_) => Ok(parsed),
            None => Err(crate::fields::missing(tool.at("input_schema"))),
        }
    })
}

/// Checks that a choice can be met.
pub(super) fn check_choice(choice: ToolChoice, tools: &[Tool]) -> Result<ToolChoice, ApiError> {
    match &choice {
        ToolChoice::Named(name) if !tools.iter().any(|tool| tool.name == *name) => {
            Err(invalid("tool_choice", "one of the `tools`"))
        }
        ToolChoice::Required if tools.is_empty() => {
            Err(invalid("tool_choice", "absent or `none` without `tools`"))
        }
        ToolChoice::Auto if tools.is_empty() => Ok(ToolChoice::None),
        _ => Ok(choice),
    }
}

/// A choice in words, as both OpenAI APIs have it.
pub(super) fn choice_word(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// The calls of an assistant's message in chat.
pub(super) fn chat_calls(message: &mut Fields) -> Result<Vec<ToolCall>, ApiError> {
    let path = message.at("tool_calls");
    let calls = message.array("tool_calls", MAX_TOOLS)?.into_iter();
    calls
        .enumerate()
        .map(|(index, call)| {
            let mut call = Fields::of(call, format!("{path}[{index}]"))?;
            call.require_type("function")?;
            let function = call.require("function")?;
            let mut function = Fields::of(function, call.at("function"))?;
            let parsed = ToolCall {
                id: call.require_id("id", MAX_ID_BYTES)?,
                name: function.require_name("name", MAX_NAME_BYTES)?,
                arguments: function.require_string("arguments", usize::MAX)?,
            };
            // Streaming clients keep the position beside the call and send it back.
            call.integer("index", 0..=u32::MAX)?;
            function.finish()?;
            call.finish()?;
            Ok(parsed)
        })
        .collect()
}

fn each(
    fields: &mut Fields,
    parse: impl Fn(&mut Fields) -> Result<Tool, ApiError>,
) -> Result<Vec<Tool>, ApiError> {
    let mut tools: Vec<Tool> = Vec::new();
    let values = fields.array("tools", MAX_TOOLS)?;
    for (index, value) in values.into_iter().enumerate() {
        let mut tool = Fields::of(value, format!("tools[{index}]"))?;
        let parsed = parse(&mut tool)?;
        if tools.iter().any(|other| other.name == parsed.name) {
            return Err(invalid(tool.at("name"), "different from the other names"));
        }
        tool.finish()?;
        tools.push(parsed);
    }
    Ok(tools)
}

fn function_tool(fields: &mut Fields, schema: &str, strict: bool) -> Result<Tool, ApiError> {
    let name = fields.require_name("name", MAX_NAME_BYTES)?;
    let parameters = fields.take(schema);
    if parameters
        .as_ref()
        .is_some_and(|value| !matches!(value, Json::Object(_)))
    {
        return Err(invalid(fields.at(schema), "an object"));
    }
    Ok(Tool {
        name,
        description: fields.text("description")?,
        parameters,
        strict: fields.boolean("strict")?.unwrap_or(strict),
    })
}

/// Refuses a choice that is neither a known word nor a named function.
pub(super) fn unsupported_choice(path: &str) -> ApiError {
    unsupported(
        path,
        "is supported only with `auto`, `none`, `required` or one named function",
    )
}

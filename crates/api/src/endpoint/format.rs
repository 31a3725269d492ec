//! `response_format` of chat, `text.format` of responses.

use crate::error::ApiError;
use crate::fields::{Fields, invalid, unsupported};
use crate::json::Json;
use crate::limits::MAX_NAME_BYTES;
use crate::request::{JsonSchema, ResponseFormat};

/// Chat: the schema lies in a field `json_schema` of its own.
pub(super) fn chat(fields: &mut Fields) -> Result<ResponseFormat, ApiError> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(ResponseFormat::Text);
    };
    let parsed = match kind(&mut format)?.as_str() {
        "json_schema" => {
            let schema = format.require("json_schema")?;
            let mut schema_fields = Fields::of(schema, format.at("json_schema"))?;
            let schema = named_schema(&mut schema_fields)?;
            schema_fields.finish()?;
            ResponseFormat::JsonSchema(schema)
        }
        other => plain(other, &format)?,
    };
    format.finish()?;
    Ok(parsed)
}

/// Responses: the schema's fields lie beside `type`.
pub(super) fn responses(text: &mut Fields) -> Result<ResponseFormat, ApiError> {
    let Some(mut format) = text.object("format")? else {
        return Ok(ResponseFormat::Text);
    };
    let parsed = match kind(&mut format)?.as_str() {
        "json_schema" => ResponseFormat::JsonSchema(named_schema(&mut format)?),
        other => plain(other, &format)?,
    };
    format.finish()?;
    Ok(parsed)
}

fn kind(format: &mut Fields) -> Result<String, ApiError> {
    format.require_string("type", usize::MAX)
}

fn plain(kind: &str, format: &Fields) -> Result<ResponseFormat, ApiError> {
    match kind {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        _ => Err(unsupported(
            format.at("type"),
            "is supported only with the value `text`, `json_object` or `json_schema`",
        )),
    }
}

fn named_schema(fields: &mut Fields) -> Result<JsonSchema, ApiError> {
    let name = fields.require_name("name", MAX_NAME_BYTES)?;
    let schema = fields.require("schema")?;
    if !matches!(schema, Json::Object(_)) {
        return Err(invalid(fields.at("schema"), "an object"));
    }
    fields.only(
        "description",
        |value| value.as_str() == Some(""),
        "is not supported: describe the schema in a message",
    )?;
    Ok(JsonSchema {
        name,
        schema,
        strict: fields.boolean("strict")?.unwrap_or(false),
    })
}

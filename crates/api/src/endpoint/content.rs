//! The text of a message: one string, or an array of typed parts.

use crate::error::ApiError;
use crate::fields::{Fields, invalid, unsupported};
use crate::json::Json;
use crate::limits::MAX_PARTS;

/// Reads text or an array of parts whose `type` is one of `types`. An empty array is empty text.
///
/// `extra` sees each part after `type` and `text` were taken, to accept fields of its own.
pub(super) fn text_parts(
    value: Json,
    path: &str,
    types: &[&str],
    extra: impl Fn(&mut Fields) -> Result<(), ApiError>,
) -> Result<Vec<String>, ApiError> {
    let parts = match value {
        Json::String(text) => return Ok(vec![text]),
        Json::Array(parts) if parts.is_empty() => return Ok(vec![String::new()]),
        Json::Array(parts) if parts.len() <= MAX_PARTS => parts,
        _ => {
            let expected = format!("text or an array of at most {MAX_PARTS} parts");
            return Err(invalid(path, &expected));
        }
    };
    let parts = parts.into_iter().enumerate();
    parts
        .map(|(index, part)| {
            let mut fields = Fields::of(part, format!("{path}[{index}]"))?;
            part_type(&mut fields, types)?;
            let text = fields.require_string("text", usize::MAX)?;
            extra(&mut fields)?;
            fields.finish()?;
            Ok(text)
        })
        .collect()
}

/// Takes `type` and requires it to be one of `types`.
fn part_type(fields: &mut Fields, types: &[&str]) -> Result<(), ApiError> {
    let path = fields.at("type");
    let kind = fields.require_string("type", usize::MAX)?;
    if types.contains(&kind.as_str()) {
        return Ok(());
    }
    let reason = format!(
        "is supported only with the value `{}`",
        types.join("` or `")
    );
    Err(unsupported(path, &reason))
}

/// For parts without fields of their own.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of the functions `extra` can be"
)]
pub(super) fn nothing_else(_: &mut Fields) -> Result<(), ApiError> {
    Ok(())
}

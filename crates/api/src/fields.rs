//! Reads the fields of a JSON object, names each by its path, and refuses what nobody took.

use std::ops::RangeInclusive;

use crate::error::{ApiError, Code};
use crate::json::Json;

/// The fields of one object that have not been taken yet.
///
/// `null` counts as absent. [`Fields::finish`] must be the last call.
#[must_use]
pub(crate) struct Fields {
    path: String,
    fields: Vec<(String, Json)>,
}

impl Fields {
    /// Reads a request body, which must be an object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match Json::parse(body)? {
            Json::Object(fields) => Ok(Self::new(String::new(), fields)),
            _ => Err(ApiError::new(
                Code::InvalidJson,
                "the body must be a JSON object",
            )),
        }
    }

    /// The fields of the value at `path`, which must be an object.
    pub(crate) fn of(value: Json, path: String) -> Result<Self, ApiError> {
        match value {
            Json::Object(fields) => Ok(Self::new(path, fields)),
            _ => Err(invalid(path, "an object")),
        }
    }

    fn new(path: String, mut fields: Vec<(String, Json)>) -> Self {
        fields.retain(|(_, value)| *value != Json::Null);
        Self { path, fields }
    }

    /// Refuses the fields nobody took.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) if is_identifier(name) => {
                let path = self.at(name);
                Err(unsupported(path, "is not supported"))
            }
            Some(_) if self.path.is_empty() => Err(ApiError::new(
                Code::UnsupportedField,
                "the request has a field that is not supported",
            )),
            Some(_) => Err(unsupported(self.path, "has a field that is not supported")),
        }
    }

    /// The path of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let index = self.fields.iter().position(|(key, _)| key == name)?;
        Some(self.fields.remove(index).1)
    }

    pub(crate) fn require(&mut self, name: &str) -> Result<Json, ApiError> {
        self.take(name).ok_or_else(|| missing(self.at(name)))
    }

    /// Text of at most `max` bytes.
    pub(crate) fn string(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        self.take(name)
            .map(|value| string(value, self.at(name), max))
            .transpose()
    }

    pub(crate) fn require_string(&mut self, name: &str, max: usize) -> Result<String, ApiError> {
        self.string(name, max)?
            .ok_or_else(|| missing(self.at(name)))
    }

    /// Text of any size the body allows.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        self.string(name, usize::MAX)
    }

    /// A name made of letters, digits, `_` and `-`.
    pub(crate) fn require_name(&mut self, name: &str, max: usize) -> Result<String, ApiError> {
        let value = self.require_string(name, max)?;
        if value.is_empty() || !value.bytes().all(is_name_byte) {
            return Err(invalid(
                self.at(name),
                "a name of letters, digits, `_` and `-`",
            ));
        }
        Ok(value)
    }

    /// An identifier made by a service: visible ASCII.
    pub(crate) fn require_id(&mut self, name: &str, max: usize) -> Result<String, ApiError> {
        let value = self.require_string(name, max)?;
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid(
                self.at(name),
                "an identifier of visible ASCII characters",
            ));
        }
        Ok(value)
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(invalid(self.at(name), "true or false")),
        }
    }

    pub(crate) fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        integer(&value)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| range.contains(value))
            .map(Some)
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                invalid(
                    self.at(name),
                    &format!("a whole number from {low} to {high}"),
                )
            })
    }

    pub(crate) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<f32>,
    ) -> Result<Option<f32>, ApiError> {
        self.take(name)
            .map(|value| number(&value, &self.at(name), range))
            .transpose()
    }

    /// A number above 0.
    pub(crate) fn positive(&mut self, name: &str, max: f32) -> Result<Option<f32>, ApiError> {
        match self.number(name, 0.0..=max)? {
            Some(0.0) => Err(invalid(self.at(name), "more than 0")),
            value => Ok(value),
        }
    }

    /// An array of 1 to `max` values, or nothing when it is absent or empty.
    pub(crate) fn array(&mut self, name: &str, max: usize) -> Result<Vec<Json>, ApiError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(values)) if values.len() <= max => Ok(values),
            Some(_) => Err(invalid(
                self.at(name),
                &format!("an array of at most {max} values"),
            )),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>, ApiError> {
        self.take(name)
            .map(|value| Fields::of(value, self.at(name)))
            .transpose()
    }

    /// Accepts a field only where it changes nothing.
    pub(crate) fn only(
        &mut self,
        name: &str,
        harmless: impl Fn(&Json) -> bool,
        reason: &str,
    ) -> Result<(), ApiError> {
        match self.take(name) {
            Some(value) if !harmless(&value) => Err(unsupported(self.at(name), reason)),
            _ => Ok(()),
        }
    }

    /// Accepts a field only with the value `false`.
    pub(crate) fn only_false(&mut self, name: &str, reason: &str) -> Result<(), ApiError> {
        self.only(name, |value| *value == Json::Bool(false), reason)
    }

    /// Accepts a field only with one of these texts.
    pub(crate) fn only_text(&mut self, name: &str, allowed: &[&str]) -> Result<(), ApiError> {
        self.only(
            name,
            |value| value.as_str().is_some_and(|text| allowed.contains(&text)),
            "is supported only with its default value",
        )
    }

    /// Accepts a field only with an empty array.
    pub(crate) fn only_empty(&mut self, name: &str) -> Result<(), ApiError> {
        self.only(
            name,
            |value| matches!(value, Json::Array(values) if values.is_empty()),
            "is not supported",
        )
    }

    /// Requires `type` to be `expected`; another kind of thing is a feature that is not supported.
    pub(crate) fn require_type(&mut self, expected: &str) -> Result<(), ApiError> {
        let path = self.at("type");
        match self.require("type")? {
            Json::String(kind) if kind == expected => Ok(()),
            Json::String(_) => Err(unsupported(
                path,
                &format!("is supported only with the value `{expected}`"),
            )),
            _ => Err(invalid(path, "text")),
        }
    }
}

/// Text of at most `max` bytes.
pub(crate) fn string(value: Json, path: String, max: usize) -> Result<String, ApiError> {
    match value {
        Json::String(text) if text.len() <= max => Ok(text),
        Json::String(_) => Err(invalid(path, &format!("text of at most {max} bytes"))),
        _ => Err(invalid(path, "text")),
    }
}

/// A number in the range.
pub(crate) fn number(
    value: &Json,
    path: &str,
    range: RangeInclusive<f32>,
) -> Result<f32, ApiError> {
    let number = match value {
        Json::Number(number) => number.as_f64(),
        _ => None,
    };
    number
        .filter(|value| (f64::from(*range.start())..=f64::from(*range.end())).contains(value))
        .map(narrow)
        .ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            invalid(path.to_owned(), &format!("a number from {low} to {high}"))
        })
}

/// A whole number.
pub(crate) fn integer(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64(),
        _ => None,
    }
}

/// A field with a value that is not allowed.
pub(crate) fn invalid(path: impl Into<String>, expected: &str) -> ApiError {
    let path = path.into();
    let message = format!("field `{path}` must be {expected}");
    ApiError::new(Code::InvalidValue, message).with_param(path)
}

/// A field that must be there.
pub(crate) fn missing(path: impl Into<String>) -> ApiError {
    let path = path.into();
    let message = format!("field `{path}` is required");
    ApiError::new(Code::MissingField, message).with_param(path)
}

/// A field that is not supported, or not with this value.
pub(crate) fn unsupported(path: impl Into<String>, reason: &str) -> ApiError {
    let path = path.into();
    let message = format!("field `{path}` {reason}");
    ApiError::new(Code::UnsupportedField, message).with_param(path)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the value was checked against an f32 range, only precision is lost"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Whether a field name from outside may be repeated in an error: short and no prose.
fn is_identifier(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests;

//! JSON from outside: bounded, without duplicate keys, in the order it came.
//!
//! `serde_json::Value` keeps the last of two equal keys and may sort them. Two programs that read
//! one body must not see different requests, and the order of a schema's properties is the order
//! in which a model writes them, so requests are read into [`Json`] instead.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Number;

use crate::error::{ApiError, Code};
use crate::limits::{MAX_BODY_BYTES, MAX_DEPTH, MAX_VALUES};

/// A JSON value.
#[expect(clippy::exhaustive_enums, reason = "JSON has these six (RFC 8259 §3)")]
#[derive(Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    String(String),
    /// Values in order.
    Array(Vec<Json>),
    /// Names and values in the order they came; no name twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one JSON text.
    ///
    /// # Errors
    ///
    /// [`Code::RequestTooLarge`] over [`MAX_BODY_BYTES`]; [`Code::InvalidJson`] when it is not
    /// JSON, is nested deeper than [`MAX_DEPTH`], holds more than [`MAX_VALUES`] values or an
    /// object with the same key twice.
    pub fn parse(text: &[u8]) -> Result<Self, ApiError> {
        if text.len() > MAX_BODY_BYTES {
            let message = format!("the body is larger than {MAX_BODY_BYTES} bytes");
            return Err(ApiError::new(Code::RequestTooLarge, message));
        }
        let bounds = Bounds::default();
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        Seed::new(&bounds)
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| bounds.explain(&error))
    }

    /// The value of an object's field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Shows the kind of value, never what it holds.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::String(_) => "String",
            Self::Array(_) => "Array",
            Self::Object(_) => "Object",
        })
    }
}

/// Writes JSON text without white space.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Why a value was refused although it is JSON.
#[derive(Clone, Copy)]
enum Refusal {
    Depth,
    DuplicateKey,
    Values,
}

/// What the parser has used up; shared by all levels.
#[derive(Default)]
struct Bounds {
    values: Cell<usize>,
    refusal: Cell<Option<Refusal>>,
}

impl Bounds {
    fn refuse<E: serde::de::Error>(&self, refusal: Refusal) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = self.values.get().saturating_add(1);
        self.values.set(values);
        if values > MAX_VALUES {
            return Err(self.refuse(Refusal::Values));
        }
        Ok(())
    }

    fn explain(&self, error: &serde_json::Error) -> ApiError {
        let what = match self.refusal.get() {
            Some(Refusal::Depth) => format!("the body is nested deeper than {MAX_DEPTH} levels"),
            Some(Refusal::DuplicateKey) => "an object has the same key twice".to_owned(),
            Some(Refusal::Values) => format!("the body holds more than {MAX_VALUES} values"),
            None => "the body is not valid JSON".to_owned(),
        };
        let (line, column) = (error.line(), error.column());
        ApiError::new(
            Code::InvalidJson,
            format!("{what} (line {line}, column {column})"),
        )
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    bounds: &'a Bounds,
    depth: usize,
}

impl<'a> Seed<'a> {
    fn new(bounds: &'a Bounds) -> Self {
        Self { bounds, depth: 0 }
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(self.bounds.refuse(Refusal::Depth));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.bounds.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number is not finite"))?;
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            fields.push((name, access.next_value_seed(inner)?));
        }
        if has_duplicate(&fields) {
            return Err(self.bounds.refuse(Refusal::DuplicateKey));
        }
        Ok(Json::Object(fields))
    }
}

fn has_duplicate(fields: &[(String, Json)]) -> bool {
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
}

#[cfg(test)]
mod tests;

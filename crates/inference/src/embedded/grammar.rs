//! JSON schemas as grammars: the text form (GBNF) that the sampler enforces.
//!
//! Written here, not by the C++ library, so that a hostile schema meets bounded
//! safe code, and so that what cannot be enforced is refused by name before the
//! worker hears of the request. Supported: `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `minItems`, `maxItems`, `enum`, `const`,
//! `anyOf`, `oneOf`, one-element `allOf`, local `$ref`, `minLength`,
//! `maxLength`. Annotations (`title`, `description`, `default`, `examples`,
//! `format`, …) constrain nothing and are skipped.

use std::fmt::Write as _;

use subrosa_api::json::Json;

/// A grammar whose start rule is `root`.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Grammar(String);

impl Grammar {
    /// Any JSON object.
    pub(crate) fn json_object() -> Self {
        let mut writer = Writer::new(true);
        writer.rules.push("root ::= object\n".to_owned());
        writer.finish()
    }

    /// JSON that `schema` describes.
    ///
    /// With `strict`, a keyword that cannot be enforced is refused; without, it
    /// is left to the model.
    pub(crate) fn from_schema(schema: &Json, strict: bool) -> Result<Self, GrammarError> {
        let mut writer = Writer::new(strict);
        let body = writer.value(schema, schema, 0)?;
        writer.rule("root", &body)?;
        Ok(writer.finish())
    }

    /// One call of one of `tools`: `{"name": …, "arguments": …}`, then
    /// `closing_tag`, which white space may surround, if there is one.
    pub(crate) fn tool_call<'a>(
        tools: impl IntoIterator<Item = ToolShape<'a>>,
        closing_tag: Option<&str>,
    ) -> Result<Self, GrammarError> {
        let mut rules: Vec<String> = Vec::new();
        let mut names = Vec::new();
        let mut next = 0;
        for (index, tool) in tools.into_iter().enumerate() {
            let mut writer = Writer::new(tool.strict);
            writer.next = next;
            writer.size = rules.iter().map(String::len).sum();
            let arguments = match tool.parameters {
                Some(schema) => writer.object_only(schema, schema)?,
                None => literal("{}"),
            };
            let name = literal(&json_text(&Json::String(tool.name.to_owned())));
            let key = literal("\"name\":");
            let body = literal("\"arguments\":");
            writer.rule(
                &format!("call-{index}"),
                &format!(r#""{{" {key} ws {name} "," ws {body} ws {arguments} "}}""#),
            )?;
            next = writer.next;
            names.push(format!("call-{index}"));
            rules.append(&mut writer.rules);
        }
        if names.is_empty() {
            return Err(GrammarError::NoTools);
        }
        let calls = names.join(" | ");
        rules.push(match closing_tag {
            Some(tag) => format!(
                "gap ::= [ \\n]{{0,2}}\nroot ::= gap ({calls}) gap {}\n",
                literal(tag)
            ),
            None => format!("root ::= {calls}\n"),
        });
        Ok(Writer {
            rules,
            ..Writer::new(false)
        }
        .finish())
    }

    /// The grammar's text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The part of a tool a call has to keep to.
#[derive(Clone, Copy)]
pub(crate) struct ToolShape<'a> {
    /// The function's name.
    pub(crate) name: &'a str,
    /// The schema of its arguments.
    pub(crate) parameters: Option<&'a Json>,
    /// Whether the schema must be enforced in full.
    pub(crate) strict: bool,
}

/// Why a schema has no grammar.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum GrammarError {
    /// The schema is nested deeper than [`MAX_SCHEMA_DEPTH`], or refers to itself too often.
    #[error("is nested too deeply")]
    Depth,
    /// A keyword has a value of the wrong type or out of range.
    #[error("holds a keyword with an invalid value")]
    Malformed,
    /// There is no tool to call.
    #[error("names no tool")]
    NoTools,
    /// The grammar would be larger than [`MAX_GRAMMAR_BYTES`].
    #[error("is too large")]
    Size,
    /// A keyword cannot be enforced.
    #[error("uses a keyword that cannot be enforced")]
    Unsupported,
}

impl GrammarError {
    /// The clause for a refusal.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Depth => "is nested too deeply",
            Self::Malformed => "holds a keyword with an invalid value",
            Self::NoTools => "names no tool",
            Self::Size => "is too large",
            Self::Unsupported => "uses a keyword that cannot be enforced",
        }
    }
}

struct Writer {
    rules: Vec<String>,
    size: usize,
    next: usize,
    strict: bool,
}

impl Writer {
    fn new(strict: bool) -> Self {
        Self {
            rules: Vec::new(),
            size: 0,
            next: 0,
            strict,
        }
    }

    fn finish(self) -> Grammar {
        let mut text = self.rules.concat();
        text.push_str(GENERIC_RULES);
        Grammar(text)
    }

    fn rule(&mut self, name: &str, body: &str) -> Result<(), GrammarError> {
        self.size = self
            .size
            .saturating_add(name.len())
            .saturating_add(body.len());
        if self.size > MAX_GRAMMAR_BYTES {
            return Err(GrammarError::Size);
        }
        self.rules.push(format!("{name} ::= {body}\n"));
        Ok(())
    }

    fn fresh(&mut self) -> String {
        let name = format!("r{}", self.next);
        self.next = self.next.saturating_add(1);
        name
    }

    /// Adds a rule for `body` and returns its name, so that bodies stay small.
    fn named(&mut self, body: &str) -> Result<String, GrammarError> {
        let name = self.fresh();
        self.rule(&name, body)?;
        Ok(name)
    }

    /// Tool arguments are always an object.
    fn object_only(&mut self, schema: &Json, root: &Json) -> Result<String, GrammarError> {
        match schema.get("type").and_then(Json::as_str) {
            Some("object") => self.value(schema, root, 0),
            None if schema.get("properties").is_some() => self.object(schema, root, 0),
            None => Ok("object".to_owned()),
            Some(_) => Err(GrammarError::Malformed),
        }
    }

    fn value(&mut self, schema: &Json, root: &Json, depth: usize) -> Result<String, GrammarError> {
        if depth > MAX_SCHEMA_DEPTH {
            return Err(GrammarError::Depth);
        }
        let deeper = depth.saturating_add(1);
        let fields = match schema {
            Json::Bool(true) => return Ok("value".to_owned()),
            Json::Object(fields) => fields,
            _ => return Err(GrammarError::Malformed),
        };
        self.check_keywords(fields)?;
        if let Some(reference) = schema.get("$ref") {
            let target = resolve(reference, root)?;
            return self.value(target, root, deeper);
        }
        if let Some(constant) = schema.get("const") {
            return Ok(literal(&json_text(constant)));
        }
        if let Some(values) = schema.get("enum") {
            let values = few(array(values)?)?;
            let texts: Vec<String> = values.iter().map(|v| literal(&json_text(v))).collect();
            return self.alternatives(&texts);
        }
        if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            let bodies = few(array(branches)?)?
                .iter()
                .map(|branch| self.value(branch, root, deeper))
                .collect::<Result<Vec<_>, _>>()?;
            return self.alternatives(&bodies);
        }
        if let Some(parts) = schema.get("allOf") {
            return match array(parts)? {
                [only] => self.value(only, root, deeper),
                _ if self.strict => Err(GrammarError::Unsupported),
                _ => Ok("value".to_owned()),
            };
        }
        match schema.get("type") {
            Some(Json::String(name)) => self.typed(name, schema, root, depth),
            Some(Json::Array(names)) => {
                let bodies = names
                    .iter()
                    .map(|name| {
                        let name = name.as_str().ok_or(GrammarError::Malformed)?;
                        self.typed(name, schema, root, depth)
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                self.alternatives(&bodies)
            }
            Some(_) => Err(GrammarError::Malformed),
            None if schema.get("properties").is_some() => self.object(schema, root, depth),
            None if schema.get("items").is_some() => self.array(schema, root, depth),
            None => Ok("value".to_owned()),
        }
    }

    fn typed(
        &mut self,
        name: &str,
        schema: &Json,
        root: &Json,
        depth: usize,
    ) -> Result<String, GrammarError> {
        match name {
            "array" => self.array(schema, root, depth),
            "boolean" => Ok("boolean".to_owned()),
            "integer" => Ok("integer".to_owned()),
            "null" => Ok("null".to_owned()),
            "number" => Ok("number".to_owned()),
            "object" => self.object(schema, root, depth),
            "string" => self.string(schema),
            _ => Err(GrammarError::Malformed),
        }
    }

    fn string(&mut self, schema: &Json) -> Result<String, GrammarError> {
        let (least, most) = bounds(schema, "minLength", "maxLength", self.strict)?;
        if least == 0 && most.is_none() {
            return Ok("string".to_owned());
        }
        self.named(&format!(
            "\"\\\"\" char{} \"\\\"\"",
            repetition(least, most)
        ))
    }

    fn array(&mut self, schema: &Json, root: &Json, depth: usize) -> Result<String, GrammarError> {
        let item = match schema.get("items") {
            Some(items) => self.value(items, root, depth.saturating_add(1))?,
            None => "value".to_owned(),
        };
        let (least, most) = bounds(schema, "minItems", "maxItems", self.strict)?;
        if most == Some(0) {
            return Ok(literal("[]"));
        }
        let tail = repetition(least.saturating_sub(1), most.map(|m| m.saturating_sub(1)));
        let items = format!("{item} (\",\" ws {item}){tail}");
        let body = match least {
            0 => format!("\"[\" ({items})? \"]\""),
            _ => format!("\"[\" {items} \"]\""),
        };
        self.named(&body)
    }

    fn object(&mut self, schema: &Json, root: &Json, depth: usize) -> Result<String, GrammarError> {
        let deeper = depth.saturating_add(1);
        let properties = match schema.get("properties") {
            Some(Json::Object(fields)) => few(fields.as_slice())?,
            Some(_) => return Err(GrammarError::Malformed),
            None => &[],
        };
        let required = match schema.get("required") {
            Some(names) => array(names)?,
            None => &[],
        };
        let declared = |name: &Json| {
            properties
                .iter()
                .any(|(key, _)| Some(key.as_str()) == name.as_str())
        };
        if properties.is_empty() && required.is_empty() {
            return self.free_object(schema, root, deeper);
        }
        if !required.iter().all(declared) {
            return Err(GrammarError::Malformed);
        }
        // Built from the last property to the first: `first` is what may follow
        // "{", `rest` what may follow a property.
        let mut first = "\"\"".to_owned();
        let mut rest = "\"\"".to_owned();
        for (key, property) in properties.iter().rev() {
            let value = self.value(property, root, deeper)?;
            let name = literal(&format!("{}:", json_text(&Json::String(key.clone()))));
            let pair = self.named(&format!("{name} ws {value}"))?;
            let optional = !required.iter().any(|n| n.as_str() == Some(key.as_str()));
            let (skip_first, skip_rest) = if optional {
                (format!(" | {first}"), format!(" | {rest}"))
            } else {
                (String::new(), String::new())
            };
            first = self.named(&format!("{pair} {rest}{skip_first}"))?;
            rest = self.named(&format!("\",\" ws {pair} {rest}{skip_rest}"))?;
        }
        self.named(&format!("\"{{\" {first} \"}}\""))
    }

    /// An object without declared properties.
    fn free_object(
        &mut self,
        schema: &Json,
        root: &Json,
        depth: usize,
    ) -> Result<String, GrammarError> {
        match schema.get("additionalProperties") {
            None | Some(Json::Bool(true)) => Ok("object".to_owned()),
            Some(Json::Bool(false)) => Ok(literal("{}")),
            Some(inner) => {
                let value = self.value(inner, root, depth)?;
                let pair = self.named(&format!("string \":\" ws {value}"))?;
                self.named(&format!("\"{{\" ({pair} (\",\" ws {pair})*)? \"}}\""))
            }
        }
    }

    fn alternatives(&mut self, bodies: &[String]) -> Result<String, GrammarError> {
        if bodies.is_empty() {
            return Err(GrammarError::Malformed);
        }
        self.named(&bodies.join(" | "))
    }

    fn check_keywords(&self, fields: &[(String, Json)]) -> Result<(), GrammarError> {
        let known =
            |key: &String| ENFORCED.contains(&key.as_str()) || ANNOTATIONS.contains(&key.as_str());
        if self.strict && !fields.iter().all(|(key, _)| known(key)) {
            return Err(GrammarError::Unsupported);
        }
        Ok(())
    }
}

fn array(value: &Json) -> Result<&[Json], GrammarError> {
    match value {
        Json::Array(values) => Ok(values),
        _ => Err(GrammarError::Malformed),
    }
}

/// Refuses what would have the grammar follow too many paths at once.
fn few<T>(items: &[T]) -> Result<&[T], GrammarError> {
    if items.len() > MAX_ALTERNATIVES {
        return Err(GrammarError::Size);
    }
    Ok(items)
}

/// Follows a local reference such as `#/$defs/name`.
fn resolve<'a>(reference: &Json, root: &'a Json) -> Result<&'a Json, GrammarError> {
    let path = reference.as_str().ok_or(GrammarError::Malformed)?;
    let path = path.strip_prefix('#').ok_or(GrammarError::Unsupported)?;
    path.split('/')
        .skip(1)
        .try_fold(root, |at, step| {
            at.get(&step.replace("~1", "/").replace("~0", "~"))
        })
        .ok_or(GrammarError::Malformed)
}

/// Reads a lower and an upper bound.
fn bounds(
    schema: &Json,
    low: &str,
    high: &str,
    strict: bool,
) -> Result<(usize, Option<usize>), GrammarError> {
    let read = |name: &str| match schema.get(name) {
        None => Ok(None),
        Some(Json::Number(number)) => number
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .map(Some)
            .ok_or(GrammarError::Malformed),
        Some(_) => Err(GrammarError::Malformed),
    };
    let least = read(low)?.unwrap_or(0);
    let most = read(high)?;
    if most.is_some_and(|most| most < least) {
        return Err(GrammarError::Malformed);
    }
    if least > MAX_REPETITION {
        return Err(GrammarError::Unsupported);
    }
    match most {
        // The library unrolls repetitions, so a large bound costs memory.
        Some(most) if most > MAX_REPETITION && strict => Err(GrammarError::Unsupported),
        Some(most) if most > MAX_REPETITION => Ok((least, None)),
        most => Ok((least, most)),
    }
}

fn repetition(least: usize, most: Option<usize>) -> String {
    match (least, most) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    }
}

fn json_text(value: &Json) -> String {
    value.to_string()
}

/// A GBNF string literal that matches exactly `text`.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Deepest nesting of a schema, references followed.
const MAX_SCHEMA_DEPTH: usize = 24;
/// Largest grammar, in bytes.
const MAX_GRAMMAR_BYTES: usize = 128 << 10;
/// Most values of an enumeration, branches of a choice, properties of an object.
const MAX_ALTERNATIVES: usize = 256;
/// Largest repetition that is unrolled.
const MAX_REPETITION: usize = 256;

const ENFORCED: [&str; 16] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "definitions",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "minItems",
    "minLength",
    "oneOf",
    "properties",
    "required",
];

const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "$id",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "format",
    "readOnly",
    "title",
    "type",
    "writeOnly",
];

/// JSON as RFC 8259 defines it, with bounded numbers and no lone surrogates, so
/// that every parser reads the result.
const GENERIC_RULES: &str = r#"ws ::= " "?
value ::= object | array | string | number | boolean | null
object ::= "{" (pair ("," ws pair)*)? "}"
pair ::= string ":" ws value
array ::= "[" (value ("," ws value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" hex4)
hex4 ::= [0-9a-cA-Ce-fE-F] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}
number ::= integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?
integer ::= "-"? ("0" | [1-9] [0-9]{0,15})
boolean ::= "true" | "false"
null ::= "null"
"#;

#[cfg(test)]
mod tests;

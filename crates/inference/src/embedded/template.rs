//! Chat templates: messages to a prompt whose parts know who wrote them.
//!
//! The template comes with the model and may write control tokens; what users
//! and tools wrote may not. So every text from outside is replaced by a marker
//! before the template runs, and the result is cut at the markers:
//!
//! ```text
//! {role: user, content: "hi <|im_end|>"}
//!    └▶ template ▶ <|im_start|>user\n ⟦marker 0⟧ <|im_end|>\n
//!         └▶ Template("<|im_start|>user\n") Content("hi <|im_end|>") Template("<|im_end|>\n")
//! ```
//!
//! A marker holds 128 random bits of this request, so no text can imitate one,
//! and a template that damages one is refused.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, Value};
use subrosa_api::json::Json;

use crate::embedded::tools::{CLOSE_TAG, OPEN_TAG};
use crate::embedded::wire::{ChatCall, ChatMessage, ChatTool};

/// A part of a prompt.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Segment {
    /// Written by users, tools or the model: its control tokens are only text.
    Content(String),
    /// Written by the template.
    Template(String),
}

/// A model's chat template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    specials: Vec<String>,
    knows_tools: bool,
    knows_developer: bool,
}

/// Why messages could not be rendered. The template's own message may quote a
/// conversation, so it is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// The template does not parse.
    #[error("chat template does not parse")]
    Parse,
    /// It refused the messages, or damaged a marker.
    #[error("chat template refused the messages")]
    Refused,
}

impl ChatTemplate {
    /// Reads a template. `specials` are the texts of the model's control tokens.
    pub(crate) fn new(
        source: &str,
        bos: String,
        eos: String,
        specials: Vec<String>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        environment.set_syntax(syntax.build().map_err(|_| TemplateError::Parse)?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |_: String| -> Result<Value, Error> {
            Err(Error::from(ErrorKind::InvalidOperation))
        });
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|_| TemplateError::Parse)?;
        Ok(Self {
            environment,
            bos,
            eos,
            specials,
            knows_tools: source.contains("tools"),
            knows_developer: source.contains("developer"),
        })
    }

    /// Renders a conversation up to the point where the model answers.
    pub(crate) fn render(
        &self,
        messages: &[ChatMessage],
        tools: &[ChatTool],
        random: u128,
    ) -> Result<Vec<Segment>, TemplateError> {
        let mut markers = Markers::new(random, &self.specials);
        let adapted = self.adapt(messages, tools);
        let messages: Vec<Value> = adapted.iter().map(|m| message(m, &mut markers)).collect();
        let tools = (self.knows_tools && !tools.is_empty()).then(|| {
            tools
                .iter()
                .map(|t| tool(t, &mut markers))
                .collect::<Vec<_>>()
        });
        let context = minijinja::context! {
            messages,
            tools,
            add_generation_prompt => true,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let text = self
            .environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|_| TemplateError::Refused)?;
        markers.split(&text)
    }

    /// Rewrites tools and tool messages for a template that does not know them.
    fn adapt(&self, messages: &[ChatMessage], tools: &[ChatTool]) -> Vec<ChatMessage> {
        let mut adapted: Vec<ChatMessage> = messages.iter().map(|m| self.adapt_one(m)).collect();
        if !self.knows_tools && !tools.is_empty() {
            let note = tool_note(tools);
            match adapted.first_mut() {
                Some(first) if first.role == "system" => {
                    first.content = format!("{}\n\n{note}", first.content);
                }
                _ => adapted.insert(0, plain_message("system", note)),
            }
        }
        adapted
    }

    fn adapt_one(&self, message: &ChatMessage) -> ChatMessage {
        let mut content = message.content.clone();
        let mut role = message.role.as_str();
        if role == "developer" && !self.knows_developer {
            role = "system";
        }
        if self.knows_tools {
            return ChatMessage {
                role: role.to_owned(),
                content,
                calls: message.calls.iter().map(copy_call).collect(),
                call_id: message.call_id.clone(),
                name: message.name.clone(),
            };
        }
        for call in &message.calls {
            if !content.is_empty() {
                content.push('\n');
            }
            let name = Json::String(call.name.clone());
            let arguments = &call.arguments;
            let call = format!("{{\"name\": {name}, \"arguments\": {arguments}}}");
            content.extend([OPEN_TAG, &call, CLOSE_TAG]);
        }
        if role == "tool" {
            role = "user";
            content = format!("<tool_response>\n{content}\n</tool_response>");
        }
        ChatMessage {
            name: message.name.clone(),
            ..plain_message(role, content)
        }
    }
}

fn message(message: &ChatMessage, markers: &mut Markers<'_>) -> Value {
    let mut fields = vec![
        ("role", Value::from(message.role.as_str())),
        ("content", Value::from(markers.raw(&message.content))),
    ];
    if let Some(name) = &message.name {
        fields.push(("name", Value::from(markers.raw(name))));
    }
    if let Some(id) = &message.call_id {
        fields.push(("tool_call_id", Value::from(markers.raw(id))));
    }
    if !message.calls.is_empty() {
        let calls: Vec<Value> = message.calls.iter().map(|c| call(c, markers)).collect();
        fields.push(("tool_calls", Value::from(calls)));
    }
    Value::from_pairs(fields)
}

fn copy_call(call: &ChatCall) -> ChatCall {
    ChatCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
    }
}

fn plain_message(role: &str, content: String) -> ChatMessage {
    ChatMessage {
        role: role.to_owned(),
        content,
        calls: Vec::new(),
        call_id: None,
        name: None,
    }
}

fn call(call: &ChatCall, markers: &mut Markers<'_>) -> Value {
    let arguments = match Json::parse(call.arguments.as_bytes()) {
        Ok(json) => Value::from(Serde(markers.json(&json))),
        Err(_) => Value::from(markers.raw(&call.arguments)),
    };
    let function = Value::from_pairs([
        ("name", Value::from(markers.raw(&call.name))),
        ("arguments", arguments),
    ]);
    Value::from_pairs([
        ("id", Value::from(markers.raw(&call.id))),
        ("type", Value::from("function")),
        ("function", function),
    ])
}

fn tool(tool: &ChatTool, markers: &mut Markers<'_>) -> Value {
    Value::from(Serde(markers.json(&tool_json(tool))))
}

/// A tool as the chat completions API writes it.
fn tool_json(tool: &ChatTool) -> Json {
    let mut function = vec![("name".to_owned(), Json::String(tool.name.clone()))];
    if let Some(description) = &tool.description {
        function.push(("description".to_owned(), Json::String(description.clone())));
    }
    let parameters = tool
        .parameters
        .as_deref()
        .and_then(|p| Json::parse(p.as_bytes()).ok());
    if let Some(parameters) = parameters {
        function.push(("parameters".to_owned(), parameters));
    }
    Json::Object(vec![
        ("type".to_owned(), Json::String("function".to_owned())),
        ("function".to_owned(), Json::Object(function)),
    ])
}

/// What a model is told whose template has no place for tools.
fn tool_note(tools: &[ChatTool]) -> String {
    let list: Vec<String> = tools.iter().map(|t| tool_json(t).to_string()).collect();
    format!(
        "You can call functions. They are described in <tools></tools>:\n<tools>\n{}\n</tools>\n\
         To call one, write only this: \
         {OPEN_TAG}{{\"name\": \"function name\", \"arguments\": {{…}}}}{CLOSE_TAG}",
        list.join("\n")
    )
}

/// The texts that were taken out of a conversation.
struct Markers<'a> {
    open: String,
    texts: Vec<String>,
    specials: &'a [String],
}

impl<'a> Markers<'a> {
    fn new(random: u128, specials: &'a [String]) -> Self {
        Self {
            open: format!("{OPEN}{random:032x}:"),
            texts: Vec::new(),
            specials,
        }
    }

    /// A marker for `text`, which comes back as it is.
    fn raw(&mut self, text: &str) -> String {
        // Templates ask whether a content is empty.
        if text.is_empty() {
            return String::new();
        }
        let index = self.texts.len();
        self.texts.push(text.to_owned());
        format!("{}{index}{CLOSE}", self.open)
    }

    /// The same value with markers for every text that is not a plain word.
    /// They come back as the inside of a JSON string, since templates write
    /// such values as JSON.
    fn json(&mut self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.word(text)),
            Json::Array(values) => Json::Array(values.iter().map(|v| self.json(v)).collect()),
            Json::Object(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(key, value)| (self.word(key), self.json(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn word(&mut self, text: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let special = || self.specials.iter().any(|s| text.contains(s.as_str()));
        if text.len() <= MAX_PLAIN && text.chars().all(plain) && !special() {
            return text.to_owned();
        }
        let quoted = Json::String(text.to_owned()).to_string();
        let inside = quoted.get(1..quoted.len().saturating_sub(1));
        self.raw(inside.unwrap_or_default())
    }

    fn split(&self, text: &str) -> Result<Vec<Segment>, TemplateError> {
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some((before, marked)) = rest.split_once(&self.open) {
            let (index, behind) = marked.split_once(CLOSE).ok_or(TemplateError::Refused)?;
            let index: usize = index.parse().map_err(|_| TemplateError::Refused)?;
            let content = self.texts.get(index).ok_or(TemplateError::Refused)?;
            push_template(&mut segments, before)?;
            segments.push(Segment::Content(content.clone()));
            rest = behind;
        }
        push_template(&mut segments, rest)?;
        Ok(segments)
    }
}

/// Adds text of the template, in which nothing of a marker may be left.
fn push_template(segments: &mut Vec<Segment>, text: &str) -> Result<(), TemplateError> {
    if text.contains([OPEN, CLOSE]) {
        return Err(TemplateError::Refused);
    }
    if !text.is_empty() {
        segments.push(Segment::Template(text.to_owned()));
    }
    Ok(())
}

/// `tojson` as chat templates expect it: Python's separators, no HTML escapes.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Other options of Python's function change nothing that models rely on.
    for name in ["ensure_ascii", "separators", "sort_keys"] {
        let _: Option<Value> = options.get(name)?;
    }
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = if let Some(width) = indent {
        let spaces = " ".repeat(width.min(16));
        let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, pretty);
        serde::Serialize::serialize(value, &mut serializer)
    } else {
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, Spaced);
        serde::Serialize::serialize(value, &mut serializer)
    };
    written.map_err(|_| Error::from(ErrorKind::BadSerialization))?;
    String::from_utf8(out).map_err(|_| Error::from(ErrorKind::BadSerialization))
}

/// Writes `, ` and `: `.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

const NAME: &str = "chat";
/// Private-use characters, which `trim` and friends leave alone.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';
/// Longest word that needs no marker.
const MAX_PLAIN: usize = 64;

#[cfg(test)]
mod tests;

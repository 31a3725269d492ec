//! What an engine is asked for, whichever API the request came through.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::ZeroizeOnDrop;

use crate::error::{ApiError, Code};
use crate::json::Json;

/// The API a request came through, which decides the shape of its answer.
#[expect(clippy::exhaustive_enums, reason = "renderers must treat every API")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Api {
    /// OpenAI `/v1/chat/completions`.
    Chat,
    /// OpenAI `/v1/completions`.
    Completions,
    /// Anthropic `/v1/messages`.
    Messages,
    /// OpenAI `/v1/responses`.
    Responses,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Chat,
        Self::Completions,
        Self::Messages,
        Self::Responses,
    ];

    /// The API at a path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.path() == path)
    }

    /// The path of the endpoint.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// What the identifiers of its answers start with.
    #[must_use]
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl-",
            Self::Completions => "cmpl-",
            Self::Messages => "msg_",
            Self::Responses => "resp_",
        }
    }
}

/// A request for generated text.
#[derive(Clone, PartialEq)]
pub struct GenerateRequest {
    /// The API it came through.
    pub api: Api,
    /// The model's name.
    pub model: String,
    /// What to continue or answer.
    pub input: Input,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// The form the text must have.
    pub response_format: ResponseFormat,
    /// Functions the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may, must or must not call one.
    pub tool_choice: ToolChoice,
    /// Whether one answer may hold more than one call.
    pub parallel_tool_calls: bool,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether a streamed answer ends with token counts. Whole answers always have them.
    pub include_usage: bool,
    /// The key of the prefix cache; without it nothing is reused. Set by the caller, from the
    /// `subrosa-conversation` header.
    pub conversation: Option<ConversationKey>,
}

/// Shows settings, never text.
impl fmt::Debug for GenerateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenerateRequest")
            .field("api", &self.api)
            .field("input", &self.input)
            .field("tools", &self.tools.len())
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// What to continue or answer.
#[expect(clippy::exhaustive_enums, reason = "an engine must treat both")]
#[derive(Clone, PartialEq)]
pub enum Input {
    /// A conversation, rendered by the model's chat template. Never empty.
    Chat(Vec<Message>),
    /// Text to continue as it is.
    Prompt(String),
}

/// Shows counts, never text.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(messages) => write!(f, "Chat({} messages)", messages.len()),
            Self::Prompt(text) => write!(f, "Prompt({} bytes)", text.len()),
        }
    }
}

/// Who speaks.
#[expect(clippy::exhaustive_enums, reason = "the APIs define these five")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// The model.
    Assistant,
    /// Instructions of the application; treated like [`Role::System`] by most templates.
    Developer,
    /// Instructions.
    System,
    /// The result of a tool call.
    Tool,
    /// The person.
    User,
}

impl Role {
    /// The name chat templates use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::Developer => "developer",
            Self::System => "system",
            Self::Tool => "tool",
            Self::User => "user",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Eq, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text, in the parts it came in. Empty only beside tool calls.
    pub parts: Vec<String>,
    /// The calls an assistant made.
    pub tool_calls: Vec<ToolCall>,
    /// The call this message answers; set exactly when the role is [`Role::Tool`].
    pub tool_call_id: Option<String>,
    /// The participant's name.
    pub name: Option<String>,
}

impl Message {
    /// A message that is only text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self::from_parts(role, vec![text.into()])
    }

    /// A message of text parts.
    #[must_use]
    pub fn from_parts(role: Role, parts: Vec<String>) -> Self {
        Self {
            role,
            parts,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
        }
    }

    /// The result of the tool call `id`.
    #[must_use]
    pub fn tool_result(id: String, parts: Vec<String>) -> Self {
        Self {
            tool_call_id: Some(id),
            ..Self::from_parts(Role::Tool, parts)
        }
    }

    /// All parts, one after the other.
    #[must_use]
    pub fn joined(&self) -> String {
        self.parts.concat()
    }
}

/// Shows counts, never text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("role", &self.role)
            .field("parts", &self.parts.len())
            .field("tool_calls", &self.tool_calls.len())
            .finish_non_exhaustive()
    }
}

/// A call the model made.
#[derive(Clone, Eq, PartialEq)]
pub struct ToolCall {
    /// Links the call to its result.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments as the model wrote them: meant to be JSON, not checked.
    pub arguments: String,
}

/// Shows nothing that was said.
impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").finish_non_exhaustive()
    }
}

/// How to choose tokens. `None` leaves the choice to the model's configured default.
#[derive(Clone, PartialEq)]
pub struct Sampling {
    /// 0 to 2; 0 always takes the likeliest token.
    pub temperature: Option<f32>,
    /// Above 0, to 1.
    pub top_p: Option<f32>,
    /// Number of tokens considered; 0 means all.
    pub top_k: Option<u32>,
    /// 0 to 1.
    pub min_p: Option<f32>,
    /// Makes sampling repeatable.
    pub seed: Option<i64>,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// Most tokens of the answer, at least 1.
    pub max_tokens: Option<u32>,
    /// −2 to 2.
    pub presence_penalty: f32,
    /// −2 to 2.
    pub frequency_penalty: f32,
    /// Above 0, to 2; 1 changes nothing.
    pub repeat_penalty: Option<f32>,
    /// Token ids and what is added to their logits, −100 to 100. No id twice.
    pub logit_bias: Vec<(u32, f32)>,
    /// `Some(k)` reports each token's log probability and those of `k` alternatives.
    pub logprobs: Option<u8>,
    /// Number of answers, 1 to 8.
    pub n: u8,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: None,
            top_p: None,
            top_k: None,
            min_p: None,
            seed: None,
            stop: Vec::new(),
            max_tokens: None,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            repeat_penalty: None,
            logit_bias: Vec::new(),
            logprobs: None,
            n: 1,
        }
    }
}

/// Shows sizes; stop sequences are text of a user.
impl fmt::Debug for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampling")
            .field("stop", &self.stop.len())
            .field("max_tokens", &self.max_tokens)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

/// The form the text must have.
#[expect(clippy::exhaustive_enums, reason = "an engine must treat each")]
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that a schema describes.
    JsonSchema(JsonSchema),
}

/// A named JSON schema.
#[derive(Clone, PartialEq)]
pub struct JsonSchema {
    /// Its name.
    pub name: String,
    /// The schema, with properties in the order they came.
    pub schema: Json,
    /// Whether the answer must follow it exactly.
    pub strict: bool,
}

/// Shows nothing that was said.
impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonSchema").finish_non_exhaustive()
    }
}

/// A function the model may call.
#[derive(Clone, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON schema of its arguments; absent means no arguments.
    pub parameters: Option<Json>,
    /// Whether calls must follow the schema exactly.
    pub strict: bool,
}

/// Shows nothing that was said.
impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").finish_non_exhaustive()
    }
}

/// Whether the model calls a tool.
#[expect(clippy::exhaustive_enums, reason = "an engine must treat each")]
#[derive(Clone, Eq, PartialEq)]
pub enum ToolChoice {
    /// It decides.
    Auto,
    /// It calls this one, which is among the tools.
    Named(String),
    /// It calls none.
    None,
    /// It calls at least one.
    Required,
}

/// Does not show the name.
impl fmt::Debug for ToolChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Named(_) => "Named",
            Self::None => "None",
            Self::Required => "Required",
        })
    }
}

/// A random secret shared by the requests of one conversation, under which an engine may keep
/// and reuse the state of a common prefix.
#[derive(Clone, Eq, Hash, PartialEq, ZeroizeOnDrop)]
pub struct ConversationKey([u8; 32]);

impl ConversationKey {
    /// The name of the header that carries it, inside the seal.
    pub const HEADER: &'static str = "subrosa-conversation";

    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the header's value: 32 bytes in base64url without padding (43 characters).
    ///
    /// # Errors
    ///
    /// [`Code::InvalidValue`] for anything else.
    pub fn from_header(value: &str) -> Result<Self, ApiError> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(value, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(ApiError::new(
                Code::InvalidValue,
                "the header `subrosa-conversation` must be 32 bytes in base64url without padding",
            )
            .with_param(Self::HEADER)),
        }
    }

    /// The header's value.
    #[must_use]
    pub fn to_header(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows nothing.
impl fmt::Debug for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConversationKey(…)")
    }
}

#[cfg(test)]
mod tests;

//! Errors with stable codes, and how each API shows them.
//!
//! The codes are listed and explained in spec/errors.md; a test keeps the two equal.

use std::fmt;

use serde_json::{Value, json};

use crate::request::Api;

/// An error that a client of an API sees.
///
/// `message` and `param` are made of the service's own words and of field paths: they never hold
/// text of a user.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What went wrong, for programs.
    pub code: Code,
    /// The field that was wrong, such as `messages[2].content[0].type`.
    pub param: Option<String>,
    /// What went wrong, for people.
    pub message: String,
    /// Seconds after which another try may succeed, for the `Retry-After` header.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// The header that carries the code.
    pub const CODE_HEADER: &'static str = "subrosa-error";

    /// An error about the request as a whole. `message` must not hold text of a user.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            param: None,
            message: message.into(),
            retry_after: None,
        }
    }

    /// An error with the default message of its code.
    #[must_use]
    pub fn from_code(code: Code) -> Self {
        Self::new(code, code.summary())
    }

    /// The same error about one field, named by its path.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same error with a time after which another try may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// Headers that go with the error, in the sealed response and from a local proxy:
    /// [`Self::CODE_HEADER`], since not every API has a place for the code in its body;
    /// `x-should-retry`, which official clients obey before they send anything again on their own;
    /// and `retry-after` where another try may succeed.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let safe = self.code.retry() == Retry::Safe;
        let mut headers = vec![
            (Self::CODE_HEADER, self.code.as_str().to_owned()),
            ("x-should-retry", safe.to_string()),
        ];
        if safe {
            let seconds = self.retry_after.unwrap_or(DEFAULT_RETRY_AFTER);
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }

    /// The JSON body in the shape the given API uses.
    #[must_use]
    pub fn body(&self, api: Api) -> Vec<u8> {
        let body = match api {
            Api::Messages => self.anthropic(),
            Api::Chat | Api::Completions | Api::Responses => self.openai(),
        };
        body.to_string().into_bytes()
    }

    /// OpenAI's shape: `{"error":{"message","type","param","code"}}`.
    #[must_use]
    pub fn openai(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.code.openai_type(),
            "param": self.param,
            "code": self.code.as_str(),
        }})
    }

    /// Anthropic's shape: `{"type":"error","error":{"type","message"}}`.
    #[must_use]
    pub fn anthropic(&self) -> Value {
        json!({"type": "error", "error": {
            "type": self.code.anthropic_type(),
            "message": self.message,
        }})
    }
}

/// Seconds to wait where nothing is known about when another try may succeed.
const DEFAULT_RETRY_AFTER: u32 = 1;

/// Where an error arises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// In the enclave's API, inside the seal.
    Api,
    /// In the sealed exchange, on either side (spec/channel.md §6).
    Exchange,
    /// On the device, before or beside the exchange.
    Device,
}

/// What a device may do after an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Retry {
    /// The same request would fail again.
    Never,
    /// The same request may be sent again, later or to another node: nothing ran.
    Safe,
    /// The same request may be sent again, with the same request id and token, after the node was
    /// verified again and only when no record has arrived: it may run twice.
    Repeat,
    /// Only the user may decide: the request may have run, or may run twice.
    Ask,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $layer:ident, $ran:ident, $retry:ident, $summary:literal;)*) => {
        /// The stable codes of the whole project (spec/errors.md).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The code with this name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The HTTP status that goes with the code. For [`Layer::Exchange`] and
            /// [`Layer::Device`] it is what a local proxy answers.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// Where the error arises.
            #[must_use]
            pub fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer),* }
            }

            /// Whether this code proves that nothing ran, when it comes as a sealed refusal or
            /// as the device's own decision.
            #[must_use]
            pub fn nothing_ran(self) -> bool {
                match self { $(Self::$variant => $ran),* }
            }

            /// What a device may do next.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry),* }
            }

            /// One sentence for people, used where there is nothing more exact to say.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }
        }
    };
}

codes! {
    /// The answer was stopped before it was complete.
    Cancelled = "cancelled", 499, Api, false, Ask, "the answer was stopped before it was complete";
    /// Prompt and answer do not fit into the model's context.
    ContextLengthExceeded = "context_length_exceeded", 400, Api, true, Never, "the request does not fit into the model's context";
    /// The service is shutting down and takes no new requests.
    Draining = "draining", 503, Api, true, Safe, "the service is shutting down; try again, or another node";
    /// The engine failed while it worked on the request.
    EngineFailed = "engine_failed", 500, Api, false, Ask, "the engine failed while it worked on this request";
    /// The engine is being restarted; the request was not given to it.
    EngineRestarting = "engine_restarting", 503, Api, true, Safe, "the engine is restarting; try again shortly";
    /// The local proxy refuses the caller: `Host` or `Origin` is not allowed.
    Forbidden = "forbidden", 403, Device, true, Never, "the caller is not allowed to use this proxy";
    /// The service failed in a way it has no better word for.
    Internal = "internal", 500, Api, false, Ask, "the service failed";
    /// The body is not JSON within the limits.
    InvalidJson = "invalid_json", 400, Api, true, Never, "the body is not valid JSON";
    /// A field has a value that is not allowed.
    InvalidValue = "invalid_value", 400, Api, true, Never, "a field has a value that is not allowed";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405, Api, true, Never, "the method is not allowed here";
    /// A required field is absent.
    MissingField = "missing_field", 400, Api, true, Never, "a required field is missing";
    /// No model of that name is served.
    ModelNotFound = "model_not_found", 404, Api, true, Never, "no such model is served here";
    /// There is nothing at the path.
    NotFound = "not_found", 404, Api, true, Never, "there is nothing at this path";
    /// The waiting queue is full.
    QueueFull = "queue_full", 429, Api, true, Safe, "the queue is full; try again later";
    /// The caller sent too many requests.
    RateLimited = "rate_limited", 429, Api, true, Safe, "too many requests; try again later";
    /// The body is larger than the service takes.
    RequestTooLarge = "request_too_large", 413, Api, true, Never, "the request is too large";
    /// The request took longer than the service allows.
    Timeout = "timeout", 504, Api, false, Ask, "the request took too long";
    /// The local proxy wants a bearer token.
    Unauthorized = "unauthorized", 401, Device, true, Never, "the bearer token is missing or wrong";
    /// The loaded model or its engine cannot do what a supported field asks for.
    UnsupportedByModel = "unsupported_by_model", 400, Api, true, Never, "the model cannot do this";
    /// The service does not support a field, or a value that switches on a feature it lacks.
    UnsupportedField = "unsupported_field", 400, Api, true, Never, "a field is not supported";
    /// The body is not of a media type the path takes.
    UnsupportedMediaType = "unsupported_media_type", 415, Api, true, Never, "the media type is not supported";

    /// The chunks of a request do not authenticate.
    DecapsulationFailed = "decapsulation-failed", 502, Exchange, false, Ask, "the node could not open the sealed request";
    /// The key exists and its time is over.
    KeyExpired = "key-expired", 502, Exchange, false, Repeat, "the node's key has expired";
    /// The key exists and its time has not begun.
    KeyNotYetValid = "key-not-yet-valid", 502, Exchange, false, Repeat, "the node's key is not valid yet";
    /// The opened plaintext breaks the format.
    MalformedRequest = "malformed-request", 502, Exchange, true, Never, "the node refused the format of the sealed request";
    /// The bytes of an event stream break spec/stream-events.md.
    MalformedStream = "malformed-stream", 502, Exchange, false, Ask, "the answer is not well formed";
    /// The receipt's signature or commitment is wrong.
    ReceiptInvalid = "receipt-invalid", 502, Exchange, false, Ask, "the receipt of the answer does not verify";
    /// A record does not open or breaks the format.
    RecordForged = "record-forged", 502, Exchange, false, Ask, "the answer was altered on its way";
    /// The replay register is full.
    RegisterFull = "register-full", 503, Exchange, true, Safe, "the node takes no more requests in this epoch";
    /// The request is already in the replay register.
    Replayed = "replayed", 502, Exchange, false, Ask, "the node has seen this request before";
    /// The sealed request is larger than the exchange allows.
    SealedRequestTooLarge = "request-too-large", 413, Exchange, false, Ask, "the sealed request is too large";
    /// A record has another size than the profile asks for.
    ShapeViolated = "shape-violated", 502, Exchange, false, Ask, "the answer does not have the shape that was asked for";
    /// The answer ended before its `complete` frame.
    Truncated = "truncated", 502, Exchange, false, Ask, "the answer was cut off";
    /// No living key has the identifier.
    UnknownKey = "unknown-key", 502, Exchange, false, Repeat, "the node does not have this key any more";
    /// The first byte is not a known version.
    UnknownVersion = "unknown-version", 502, Exchange, false, Ask, "the node does not speak this version";
    /// The evidence binds another key configuration.
    WrongKeyConfiguration = "wrong-key-configuration", 502, Exchange, true, Never, "the evidence is for another key";

    /// The node's evidence is too old.
    EvidenceExpired = "evidence-expired", 502, Device, true, Safe, "the node's evidence has expired";
    /// The network failed.
    Network = "network", 502, Device, false, Repeat, "the network failed";
    /// Verification refused the node.
    Refused = "refused", 502, Device, true, Never, "the node did not pass verification";
}

impl Code {
    /// The `type` of OpenAI's error body.
    #[must_use]
    pub fn openai_type(self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..=498 => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// The `type` of Anthropic's error body.
    #[must_use]
    pub fn anthropic_type(self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            400..=498 => "invalid_request_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            _ => "api_error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;

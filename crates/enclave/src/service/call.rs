//! What a device asks for, inside the seal.

use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::endpoint::{chat, completions, embeddings, messages, responses};
use subrosa_api::error::{ApiError, Code};
use subrosa_api::request::{Api, ConversationKey, GenerateRequest, Input, Message, Role};
use subrosa_channel::InnerRequest;

use crate::config::{Limits, SamplingDefaults};

/// A call that was understood.
#[derive(Debug)]
pub(super) enum Call {
    /// `/v1/embeddings`.
    Embed(EmbeddingsRequest),
    /// The endpoints that generate text.
    Generate(Box<GenerateRequest>),
    /// `GET /v1/models/{model}`.
    Model(String),
    /// `GET /v1/models`.
    Models,
}

/// A call that is refused, and the API whose error it gets.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) api: Api,
    pub(super) error: ApiError,
}

impl Refusal {
    /// A refusal before it is known what was asked.
    pub(super) fn new(error: ApiError) -> Self {
        let api = Api::Chat;
        Self { api, error }
    }
}

impl Call {
    /// Understands a request and fills in what the configuration decides.
    pub(super) fn parse(
        request: &InnerRequest,
        limits: &Limits,
        sampling: &SamplingDefaults,
    ) -> Result<Self, Refusal> {
        let Some(endpoint) = Endpoint::find(&request.path) else {
            return Err(Refusal::new(ApiError::from_code(Code::NotFound)));
        };
        let refuse = |error| Refusal {
            api: endpoint.api(),
            error,
        };
        if request.method != endpoint.method() {
            return Err(refuse(ApiError::from_code(Code::MethodNotAllowed)));
        }
        match endpoint {
            Endpoint::Models => Ok(Self::Models),
            Endpoint::Model(name) => Ok(Self::Model(name)),
            Endpoint::Embeddings => {
                check_media(request).map_err(refuse)?;
                embeddings::parse(&request.body)
                    .map(Self::Embed)
                    .map_err(refuse)
            }
            Endpoint::Generate(api) => {
                check_media(request).map_err(refuse)?;
                generate(api, request, limits, sampling)
                    .map(|generate| Self::Generate(Box::new(generate)))
                    .map_err(refuse)
            }
        }
    }

    /// The API whose errors this call gets.
    pub(super) fn api(&self) -> Api {
        match self {
            Self::Generate(request) => request.api,
            Self::Embed(_) | Self::Model(_) | Self::Models => Api::Chat,
        }
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Endpoint {
    Embeddings,
    Generate(Api),
    Model(String),
    Models,
}

impl Endpoint {
    fn find(path: &str) -> Option<Self> {
        let generate = [Api::Chat, Api::Completions, Api::Messages, Api::Responses];
        if let Some(api) = generate.into_iter().find(|api| api.path() == path) {
            return Some(Self::Generate(api));
        }
        match path {
            "/v1/embeddings" => Some(Self::Embeddings),
            "/v1/models" => Some(Self::Models),
            _ => {
                let name = path.strip_prefix("/v1/models/")?;
                // The two characters of a model's name that clients may escape.
                let name = name
                    .replace("%2F", "/")
                    .replace("%2f", "/")
                    .replace("%3A", ":")
                    .replace("%3a", ":");
                (!name.is_empty()).then_some(Self::Model(name))
            }
        }
    }

    fn api(&self) -> Api {
        match self {
            Self::Generate(api) => *api,
            Self::Embeddings | Self::Model(_) | Self::Models => Api::Chat,
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Embeddings | Self::Generate(_) => "POST",
            Self::Model(_) | Self::Models => "GET",
        }
    }
}

fn check_media(request: &InnerRequest) -> Result<(), ApiError> {
    let value = request.header("content-type").unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ApiError::from_code(Code::UnsupportedMediaType))
    }
}

fn generate(
    api: Api,
    request: &InnerRequest,
    limits: &Limits,
    sampling: &SamplingDefaults,
) -> Result<GenerateRequest, ApiError> {
    let parse = match api {
        Api::Chat => chat::parse,
        Api::Completions => completions::parse,
        Api::Messages => messages::parse,
        Api::Responses => responses::parse,
    };
    let mut generate = parse(&request.body)?;
    let conversation = request.header(ConversationKey::HEADER);
    generate.conversation = conversation.map(ConversationKey::from_header).transpose()?;
    bound_tokens(&mut generate, limits, sampling)?;
    fill_sampling(&mut generate, sampling);
    if let (Input::Chat(messages), Some(prompt)) = (&mut generate.input, &sampling.system_prompt) {
        instruct(messages, prompt);
    }
    Ok(generate)
}

/// Asking for more than the service gives is refused rather than cut: a shorter
/// answer than asked for would look like the model's own end.
fn bound_tokens(
    request: &mut GenerateRequest,
    limits: &Limits,
    sampling: &SamplingDefaults,
) -> Result<(), ApiError> {
    let limit = u32::try_from(limits.answer_tokens).unwrap_or(u32::MAX);
    match request.sampling.max_tokens {
        Some(asked) if asked > limit => {
            let field = match request.api {
                Api::Responses => "max_output_tokens",
                Api::Chat | Api::Completions | Api::Messages => "max_tokens",
            };
            let message =
                format!("`{field}` is more than the {limit} tokens that an answer may have here");
            Err(ApiError::new(Code::InvalidValue, message).with_param(field))
        }
        Some(_) => Ok(()),
        None => {
            request.sampling.max_tokens = Some(sampling.max_tokens.unwrap_or(limit));
            Ok(())
        }
    }
}

fn fill_sampling(request: &mut GenerateRequest, defaults: &SamplingDefaults) {
    let sampling = &mut request.sampling;
    sampling.temperature = sampling.temperature.or(defaults.temperature);
    sampling.top_p = sampling.top_p.or(defaults.top_p);
    sampling.top_k = sampling.top_k.or(defaults.top_k);
    sampling.min_p = sampling.min_p.or(defaults.min_p);
    sampling.repeat_penalty = sampling.repeat_penalty.or(defaults.repeat_penalty);
}

/// Puts the service's instructions first. Templates take one system message, so
/// they join the application's where there is one.
fn instruct(messages: &mut Vec<Message>, prompt: &str) {
    match messages.first_mut() {
        Some(first) if matches!(first.role, Role::System | Role::Developer) => {
            first.parts.insert(0, format!("{prompt}\n\n"));
        }
        _ => messages.insert(0, Message::text(Role::System, prompt)),
    }
}

#[cfg(test)]
mod tests;

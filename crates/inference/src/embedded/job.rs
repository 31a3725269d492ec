//! Requests as the worker takes them: checked, defaulted, without references.

use sha2::{Digest as _, Sha256};
use subrosa_api::request::{
    GenerateRequest, Input, Message, ResponseFormat, Sampling, Tool, ToolChoice,
};

use crate::embedded::config::{EmbeddedConfig, SamplingDefaults};
use crate::embedded::grammar::{Grammar, GrammarError, ToolShape};
use crate::embedded::sampling::SamplingParams;
use crate::embedded::tools::CLOSE_TAG;
use crate::embedded::wire::{ChatCall, ChatMessage, ChatTool, Form, Job, Prompt};
use crate::engine::EngineError;

/// Turns a request into the worker's job `id`.
pub(crate) fn job(
    id: u64,
    request: &GenerateRequest,
    config: &EmbeddedConfig,
) -> Result<Job, EngineError> {
    if request.model != config.model {
        return Err(EngineError::ModelUnknown);
    }
    let sampling = &request.sampling;
    if u16::from(sampling.n) > config.max_streams {
        return Err(EngineError::InvalidField {
            field: "n",
            reason: "is more than this engine answers at the same time",
        });
    }
    let max_tokens = match (sampling.max_tokens, config.defaults.max_tokens) {
        (Some(asked), _) => Some(asked),
        (None, default) => default,
    };
    Ok(Job {
        id,
        prompt: prompt(request),
        sampling: params(sampling, &config.defaults)?,
        stops: sampling.stop.clone(),
        max_tokens,
        choices: sampling.n.max(1),
        logprobs: sampling.logprobs,
        form: form(request)?,
        cache_key: request
            .conversation
            .as_ref()
            .map(|key| cache_key(key.as_bytes())),
    })
}

/// Names a conversation without giving its secret to the worker.
fn cache_key(secret: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"subrosa/prefix-cache/1");
    hash.update(secret);
    hash.finalize().into()
}

fn params(sampling: &Sampling, defaults: &SamplingDefaults) -> Result<SamplingParams, EngineError> {
    Ok(SamplingParams {
        temperature: sampling.temperature.unwrap_or(defaults.temperature),
        top_p: sampling.top_p.unwrap_or(defaults.top_p),
        top_k: sampling.top_k.unwrap_or(defaults.top_k),
        min_p: sampling.min_p.unwrap_or(defaults.min_p),
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        repeat_penalty: sampling.repeat_penalty.unwrap_or(defaults.repeat_penalty),
        logit_bias: sampling.logit_bias.clone(),
        seed: match sampling.seed {
            Some(seed) => seed.cast_unsigned(),
            None => getrandom::u64().map_err(|_| EngineError::Internal)?,
        },
    })
}

fn prompt(request: &GenerateRequest) -> Prompt {
    match &request.input {
        Input::Prompt(text) => Prompt::Text(text.clone()),
        Input::Chat(messages) => Prompt::Chat {
            messages: messages.iter().map(message).collect(),
            tools: match request.tool_choice {
                ToolChoice::None => Vec::new(),
                _ => request.tools.iter().map(tool).collect(),
            },
        },
    }
}

fn message(message: &Message) -> ChatMessage {
    let calls = message.tool_calls.iter().map(|call| ChatCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
    });
    ChatMessage {
        role: message.role.as_str().to_owned(),
        content: message.joined(),
        calls: calls.collect(),
        call_id: message.tool_call_id.clone(),
        name: message.name.clone(),
    }
}

fn tool(tool: &Tool) -> ChatTool {
    ChatTool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.as_ref().map(ToString::to_string),
    }
}

fn form(request: &GenerateRequest) -> Result<Form, EngineError> {
    let calls = request.tool_choice != ToolChoice::None;
    let format = match &request.response_format {
        ResponseFormat::Text => {
            return if calls {
                call_form(request)
            } else {
                Ok(Form::Free)
            };
        }
        _ if calls => {
            return Err(EngineError::Unsupported {
                feature: "a response format together with tools",
            });
        }
        ResponseFormat::JsonObject => Grammar::json_object(),
        ResponseFormat::JsonSchema(schema) => Grammar::from_schema(&schema.schema, schema.strict)
            .map_err(|error| refused("response_format", error))?,
    };
    Ok(Form::Grammar(format.as_str().to_owned()))
}

fn call_form(request: &GenerateRequest) -> Result<Form, EngineError> {
    let named = match &request.tool_choice {
        ToolChoice::Named(name) => Some(name),
        _ => None,
    };
    let tools = || {
        let chosen = |tool: &&Tool| named.is_none_or(|name| tool.name == *name);
        request.tools.iter().filter(chosen).map(|tool| ToolShape {
            name: &tool.name,
            parameters: tool.parameters.as_ref(),
            strict: tool.strict,
        })
    };
    let grammar = |tag| {
        Grammar::tool_call(tools(), tag)
            .map(|grammar| grammar.as_str().to_owned())
            .map_err(|error| refused("tools", error))
    };
    Ok(match request.tool_choice {
        ToolChoice::Auto => Form::MayCall {
            grammar: grammar(Some(CLOSE_TAG))?,
            many: request.parallel_tool_calls,
        },
        _ => Form::MustCall(grammar(None)?),
    })
}

fn refused(field: &'static str, error: GrammarError) -> EngineError {
    EngineError::InvalidField {
        field,
        reason: error.reason(),
    }
}

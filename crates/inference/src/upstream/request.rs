//! Requests as an OpenAI-compatible server takes them.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::json::Json;
use subrosa_api::request::{
    ConversationKey, GenerateRequest, Input, Message, ResponseFormat, Role, Sampling, Tool,
    ToolChoice,
};

use crate::engine::EngineError;
use crate::upstream::config::{UpstreamCache, UpstreamConfig};

/// The path and the body for a request. Always streamed.
pub(crate) fn generate(
    request: &GenerateRequest,
    config: &UpstreamConfig,
) -> Result<(&'static str, Vec<u8>), EngineError> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("model", json!(config.upstream_model));
    put("stream", json!(true));
    put("stream_options", json!({"include_usage": true}));
    let path = match &request.input {
        Input::Prompt(text) => {
            put("prompt", json!(text));
            "/v1/completions"
        }
        Input::Chat(messages) => {
            put("messages", messages.iter().map(message).collect());
            "/v1/chat/completions"
        }
    };
    if config.cache == UpstreamCache::Salt {
        put("cache_salt", json!(salt(request.conversation.as_ref())?));
    }
    put_sampling(&mut body, &request.sampling, path == "/v1/completions");
    put_form(&mut body, request)?;
    let body = serde_json::to_vec(&body).map_err(|_| EngineError::Internal)?;
    Ok((path, body))
}

/// The body for an embeddings request.
pub(crate) fn embed(
    request: &EmbeddingsRequest,
    config: &UpstreamConfig,
) -> Result<Vec<u8>, EngineError> {
    let body = json!({
        "model": config.upstream_model,
        "input": request.inputs,
        "encoding_format": "float",
    });
    serde_json::to_vec(&body).map_err(|_| EngineError::Internal)
}

/// Names a conversation without giving its secret away; without one, a name
/// that nobody uses again.
fn salt(conversation: Option<&ConversationKey>) -> Result<String, EngineError> {
    let mut hash = Sha256::new();
    hash.update(b"subrosa/cache-salt/1");
    if let Some(key) = conversation {
        hash.update(key.as_bytes());
    } else {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| EngineError::Internal)?;
        hash.update(random);
    }
    let digest: [u8; 32] = hash.finalize().into();
    Ok(digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Only what the client chose, so that the server's defaults stay its own.
fn put_sampling(body: &mut Map<String, Value>, sampling: &Sampling, completions: bool) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("temperature", sampling.temperature.map(|v| json!(v)));
    put("top_p", sampling.top_p.map(|v| json!(v)));
    put("top_k", sampling.top_k.map(|v| json!(v)));
    put("min_p", sampling.min_p.map(|v| json!(v)));
    put("seed", sampling.seed.map(|v| json!(v)));
    put("max_tokens", sampling.max_tokens.map(|v| json!(v)));
    let repetition = sampling.repeat_penalty.map(|v| json!(v));
    // The two names that servers know it by.
    put("repetition_penalty", repetition.clone());
    put("repeat_penalty", repetition);
    let given = |value: f32| (value != 0.0).then(|| json!(value));
    put("presence_penalty", given(sampling.presence_penalty));
    put("frequency_penalty", given(sampling.frequency_penalty));
    put(
        "stop",
        (!sampling.stop.is_empty()).then(|| json!(sampling.stop)),
    );
    put("n", (sampling.n > 1).then(|| json!(sampling.n)));
    if !sampling.logit_bias.is_empty() {
        let biases = sampling.logit_bias.iter();
        let biases: Map<String, Value> = biases
            .map(|(token, bias)| (token.to_string(), json!(bias)))
            .collect();
        put("logit_bias", Some(Value::Object(biases)));
    }
    match sampling.logprobs {
        Some(count) if completions => put("logprobs", Some(json!(count))),
        Some(count) => {
            put("logprobs", Some(json!(true)));
            put("top_logprobs", Some(json!(count)));
        }
        None => {}
    }
}

fn put_form(body: &mut Map<String, Value>, request: &GenerateRequest) -> Result<(), EngineError> {
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    match &request.response_format {
        ResponseFormat::Text => {}
        ResponseFormat::JsonObject => put("response_format", json!({"type": "json_object"})),
        ResponseFormat::JsonSchema(schema) => put(
            "response_format",
            json!({"type": "json_schema", "json_schema": {
                "name": schema.name,
                "schema": value(&schema.schema)?,
                "strict": schema.strict,
            }}),
        ),
    }
    if request.tool_choice == ToolChoice::None {
        return Ok(());
    }
    let tools: Vec<Value> = request.tools.iter().map(tool).collect::<Result<_, _>>()?;
    put("tools", json!(tools));
    put("parallel_tool_calls", json!(request.parallel_tool_calls));
    put(
        "tool_choice",
        match &request.tool_choice {
            ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
            ToolChoice::Required => json!("required"),
            ToolChoice::Auto | ToolChoice::None => json!("auto"),
        },
    );
    Ok(())
}

fn message(message: &Message) -> Value {
    let mut fields = Map::new();
    let role = match message.role {
        // Few servers know the newer name.
        Role::Developer => Role::System,
        role => role,
    };
    fields.insert("role".to_owned(), json!(role.as_str()));
    fields.insert("content".to_owned(), json!(message.joined()));
    if let Some(name) = &message.name {
        fields.insert("name".to_owned(), json!(name));
    }
    if let Some(id) = &message.tool_call_id {
        fields.insert("tool_call_id".to_owned(), json!(id));
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            json!({"id": call.id, "type": "function", "function": {
                "name": call.name,
                "arguments": call.arguments,
            }})
        });
        fields.insert("tool_calls".to_owned(), calls.collect());
    }
    Value::Object(fields)
}

fn tool(tool: &Tool) -> Result<Value, EngineError> {
    let mut function = Map::new();
    function.insert("name".to_owned(), json!(tool.name));
    if let Some(description) = &tool.description {
        function.insert("description".to_owned(), json!(description));
    }
    if let Some(parameters) = &tool.parameters {
        function.insert("parameters".to_owned(), value(parameters)?);
    }
    if tool.strict {
        function.insert("strict".to_owned(), json!(true));
    }
    Ok(json!({"type": "function", "function": function}))
}

fn value(json: &Json) -> Result<Value, EngineError> {
    serde_json::to_value(json).map_err(|_| EngineError::Internal)
}

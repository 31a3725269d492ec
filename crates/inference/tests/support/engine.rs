//! Engines and requests for the tests of the embedded engine.

use std::process::Command;
use std::time::Duration;

use subrosa_api::endpoint::embeddings::{EmbeddingsRequest, Encoding};
use subrosa_api::error::Code;
use subrosa_api::event::Event;
use subrosa_api::json::Json;
use subrosa_api::request::{
    ConversationKey, GenerateRequest, Input, JsonSchema, ResponseFormat, Tool,
};
use subrosa_inference::embedded::sandbox::SandboxMode;
use subrosa_inference::embedded::{EmbeddedConfig, EmbeddedEngine};
use subrosa_inference::{Engine as _, EngineError};

use super::gguf::Preset;
use super::{ModelFile, Whole, chat};

pub async fn tiny() -> EmbeddedEngine {
    start(config(&ModelFile::tiny())).await
}

/// Small chunks and a model slow enough to see who comes first.
pub async fn fair() -> EmbeddedEngine {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.context_tokens = 2048;
    config.prefill_chunk = 64;
    start(config).await
}

/// Room for the description of tools, which has a token for every byte.
pub async fn roomy() -> EmbeddedEngine {
    let model = ModelFile::tiny();
    let mut config = config(&model);
    config.context_tokens = 2048;
    start(config).await
}

pub async fn start(config: EmbeddedConfig) -> EmbeddedEngine {
    EmbeddedEngine::start(config).await.unwrap()
}

pub async fn ask(engine: &EmbeddedEngine, request: GenerateRequest) -> Whole {
    Whole::of(engine.generate(request).await.unwrap()).await
}

/// Asks again while the worker is being restarted.
pub async fn ask_when_up(engine: &EmbeddedEngine, request: GenerateRequest) -> Whole {
    for _ in 0..600 {
        match engine.generate(request.clone()).await {
            Ok(stream) => {
                let whole = Whole::of(stream).await;
                if whole.usage_if_any().is_some() {
                    return whole;
                }
            }
            Err(EngineError::WorkerRestarting { .. } | EngineError::WorkerCrashed) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("worker did not come back");
}

pub fn config(model: &ModelFile) -> EmbeddedConfig {
    let mut config = EmbeddedConfig::new("test", &model.path, model.sha256);
    config.worker_program = env!("CARGO_BIN_EXE_subrosa-worker").into();
    config.worker_arguments = Vec::new();
    // A kernel without Landlock still runs the other tests.
    config.sandbox = SandboxMode::BestEffort;
    config.context_tokens = 512;
    config.max_streams = 4;
    config.max_queue = 4;
    config.threads = 1;
    config
}

pub fn prompt(text: &str) -> GenerateRequest {
    GenerateRequest {
        input: Input::Prompt(text.to_owned()),
        ..chat("")
    }
}

/// An answer that only the context ends.
pub fn endless(text: &str) -> GenerateRequest {
    let mut request = chat(text);
    request.sampling.max_tokens = None;
    // The two control tokens that end an answer.
    request.sampling.logit_bias = vec![(0, -100.0), (2, -100.0)];
    request
}

pub fn of(conversation: u8, text: &str) -> GenerateRequest {
    GenerateRequest {
        conversation: Some(ConversationKey::new([conversation; 32])),
        ..chat(text)
    }
}

pub fn schema(text: &str) -> ResponseFormat {
    ResponseFormat::JsonSchema(JsonSchema {
        name: "test".to_owned(),
        schema: Json::parse(text.as_bytes()).unwrap(),
        strict: true,
    })
}

pub fn tool(name: &str) -> Tool {
    let parameters =
        r#"{"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"]}"#;
    Tool {
        name: name.to_owned(),
        description: Some("Switches a light.".to_owned()),
        parameters: Some(Json::parse(parameters.as_bytes()).unwrap()),
        strict: true,
    }
}

pub fn embed(inputs: &[&str]) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: "test".to_owned(),
        inputs: inputs.iter().map(|i| (*i).to_owned()).collect(),
        encoding: Encoding::Float,
    }
}

pub fn has_error(whole: &Whole, code: Code) -> bool {
    let is = |event: &Event| matches!(event, Event::Error(error) if error.code == code);
    whole.events.iter().any(is)
}

pub fn kill(process: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

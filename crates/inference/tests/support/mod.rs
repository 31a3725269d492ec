//! What the integration tests share.

#[cfg(feature = "embedded")]
pub mod engine;
pub mod gguf;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subrosa_api::event::{Event, FinishReason, Usage};
use subrosa_api::request::{
    Api, GenerateRequest, Input, Message, ResponseFormat, Role, Sampling, ToolChoice,
};
use subrosa_inference::EventStream;

/// A model file in a temporary folder.
pub struct ModelFile {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
    pub sha256: [u8; 32],
}

impl ModelFile {
    pub fn tiny() -> Self {
        Self::of(&gguf::Preset::TINY)
    }

    pub fn of(preset: &gguf::Preset) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let mut out = BufWriter::new(File::create(&path).unwrap());
        preset.write(&mut out).unwrap();
        out.flush().unwrap();
        Self {
            sha256: sha256(&path),
            path,
            _folder: folder,
        }
    }
}

pub fn sha256(path: &Path) -> [u8; 32] {
    Sha256::digest(std::fs::read(path).unwrap()).into()
}

/// A chat request with one user message; temperature 0, 16 tokens.
pub fn chat(text: &str) -> GenerateRequest {
    GenerateRequest {
        api: Api::Chat,
        model: "test".to_owned(),
        input: Input::Chat(vec![Message::text(Role::User, text)]),
        sampling: Sampling {
            temperature: Some(0.0),
            max_tokens: Some(16),
            ..Sampling::default()
        },
        response_format: ResponseFormat::Text,
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        parallel_tool_calls: true,
        stream: true,
        include_usage: true,
        conversation: None,
    }
}

/// Everything one answer consisted of.
#[derive(Debug, Default)]
pub struct Whole {
    pub events: Vec<Event>,
}

impl Whole {
    pub async fn of(mut stream: EventStream) -> Self {
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event);
        }
        Self { events }
    }

    pub fn text(&self, wanted: u8) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            Event::TextDelta { choice, text } if *choice == wanted => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    pub fn arguments(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            Event::ToolCallArguments { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    pub fn called(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            Event::ToolCallStart { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    pub fn finish(&self) -> Option<FinishReason> {
        self.events.iter().find_map(|event| match event {
            Event::Finish { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    pub fn usage(&self) -> Usage {
        self.usage_if_any().unwrap()
    }

    pub fn usage_if_any(&self) -> Option<Usage> {
        self.events.iter().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        })
    }

    pub fn ended(&self) -> bool {
        matches!(self.events.last(), Some(Event::End))
    }
}

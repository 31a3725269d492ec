//! A test engine: repeats the last message, without a model.
//!
//! It exists for tests and for load tests, where the cost of a model would hide
//! what is being measured. Nothing it says is an answer. A service may choose
//! it only where its configuration says `development`.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::event::{Event, FinishReason, Usage};
use subrosa_api::request::{GenerateRequest, Input, Message};
use tokio::sync::mpsc;

use crate::admission::{Admission, Place};
use crate::engine::{Embeddings, Engine, EngineError, EventStream, Load, ModelInfo};

/// How an [`EchoEngine`] behaves.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EchoConfig {
    /// Name of its model.
    pub model: String,
    /// Words it writes: the last message, repeated or cut to this many. `None`
    /// repeats the message once.
    pub tokens: Option<usize>,
    /// Time between two words.
    pub delay: Duration,
    /// Most answers at the same time; more are refused as a full queue.
    pub max_streams: usize,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self {
            model: "echo".to_owned(),
            tokens: None,
            delay: Duration::ZERO,
            max_streams: 100_000,
        }
    }
}

/// The test engine.
#[derive(Debug)]
pub struct EchoEngine {
    config: EchoConfig,
    admission: Admission,
}

impl EchoEngine {
    /// An engine that behaves as `config` says.
    #[must_use]
    pub fn new(config: EchoConfig) -> Self {
        Self {
            config,
            admission: Admission::default(),
        }
    }

    fn admit(&self, model: &str) -> Result<Place, EngineError> {
        if model != self.config.model {
            return Err(EngineError::ModelUnknown);
        }
        self.admission
            .enter(self.config.max_streams, || EngineError::QueueFull {
                retry_after: Duration::from_secs(1),
            })
    }

    fn start(&self, request: &GenerateRequest) -> Result<EventStream, EngineError> {
        let place = self.admit(&request.model)?;
        let said = last_text(&request.input);
        let words = words(&said, self.config.tokens, request.sampling.max_tokens);
        let prompt = count(said.split_whitespace().count());
        let choices = request.sampling.n;
        let delay = self.config.delay;
        let (events, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let _place = place;
            let _ = speak(&events, words, choices, prompt, delay).await;
        });
        Ok(EventStream::new(receiver, move || task.abort()))
    }
}

impl Engine for EchoEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let mut model = ModelInfo::new(&self.config.model, 1 << 20);
        model.embedding_length = Some(EMBEDDING_LENGTH);
        vec![model]
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<EventStream, EngineError>> {
        async move { self.start(&request) }.boxed()
    }

    fn embed(&self, request: EmbeddingsRequest) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async move {
            let _place = self.admit(&request.model)?;
            let tokens = request
                .inputs
                .iter()
                .map(|i| i.split_whitespace().count())
                .sum();
            let vectors = request.inputs.iter().map(|i| byte_histogram(i)).collect();
            Ok(Embeddings::new(vectors, count(tokens)))
        }
        .boxed()
    }

    fn load(&self) -> Load {
        Load {
            running: self.admission.taken(),
            ..Load::default()
        }
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        self.admission.drain().boxed()
    }
}

/// Writes the answer; an error means that nobody listens any more.
async fn speak(
    events: &mpsc::UnboundedSender<Event>,
    words: Words,
    choices: u8,
    prompt: u32,
    delay: Duration,
) -> Result<(), mpsc::error::SendError<Event>> {
    for word in &words.list {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        for choice in 0..choices {
            let text = word.clone();
            events.send(Event::TextDelta { choice, text })?;
        }
    }
    for choice in 0..choices {
        events.send(Event::Finish {
            choice,
            reason: words.reason,
            stop_sequence: None,
        })?;
    }
    let completion = count(words.list.len()).saturating_mul(u32::from(choices));
    events.send(Event::Usage(Usage {
        prompt,
        completion,
        cached: 0,
    }))?;
    events.send(Event::End)
}

struct Words {
    list: Vec<String>,
    reason: FinishReason,
}

/// The words of `text` with the white space before each, as many as asked for.
fn words(text: &str, wanted: Option<usize>, limit: Option<u32>) -> Words {
    let mut once: Vec<String> = Vec::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        once.push(piece.to_owned());
    }
    if once.is_empty() {
        once.push("…".to_owned());
    }
    let wanted = wanted.unwrap_or(once.len());
    let limit = limit
        .and_then(|l| usize::try_from(l).ok())
        .unwrap_or(usize::MAX);
    let reason = if limit < wanted {
        FinishReason::Length
    } else {
        FinishReason::Stop
    };
    let list = once.into_iter().cycle().take(wanted.min(limit)).collect();
    Words { list, reason }
}

fn last_text(input: &Input) -> String {
    match input {
        Input::Chat(messages) => messages.last().map(Message::joined).unwrap_or_default(),
        Input::Prompt(text) => text.clone(),
    }
}

/// A vector of length 1 that depends on the bytes of the text only.
fn byte_histogram(text: &str) -> Vec<f32> {
    let mut vector = [0.0_f32; EMBEDDING_LENGTH];
    for byte in text.bytes() {
        if let Some(slot) = vector.get_mut(usize::from(byte) % EMBEDDING_LENGTH) {
            *slot += 1.0;
        }
    }
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(1.0);
    vector.iter().map(|v| v / norm).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const EMBEDDING_LENGTH: usize = 16;

#[cfg(test)]
mod tests;

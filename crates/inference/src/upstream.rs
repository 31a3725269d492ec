//! The upstream engine: an OpenAI-compatible server in the same machine.
//!
//! ```text
//! GenerateRequest ─request─▶ POST /v1/chat/completions ─▶ server (Unix socket or loopback)
//! EventStream     ◀─answer── JSON chunks ◀──sse── text/event-stream
//! ```
//!
//! The server sees prompts, so it must be as measured as the enclave itself;
//! otherwise this is a development mode. It is not trusted to speak its own
//! protocol: what it sends is bounded and checked, and becomes an error event,
//! never a panic. Dropping the answer closes the connection, which is how such
//! servers learn that nobody listens.

mod address;
mod answer;
mod config;
mod connection;
mod request;
mod sse;

use futures_util::future::{BoxFuture, FutureExt as _};
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::event::Event;
use subrosa_api::request::GenerateRequest;
use tokio::sync::mpsc;

pub use address::{AddressError, UpstreamAddress};
pub use config::{UpstreamCache, UpstreamConfig};

use crate::admission::{Admission, Place};
use crate::engine::{Embeddings, Engine, EngineError, EventStream, Load, ModelInfo};
use crate::upstream::answer::AnswerReader;
use crate::upstream::connection::Connection;

/// The engine.
#[derive(Debug)]
pub struct UpstreamEngine {
    config: UpstreamConfig,
    admission: Admission,
}

impl UpstreamEngine {
    /// An engine that forwards to the server `config` names. Connects when it
    /// is asked something, not before.
    #[must_use]
    pub fn new(config: UpstreamConfig) -> Self {
        Self {
            config,
            admission: Admission::default(),
        }
    }

    fn enter(&self, model: &str) -> Result<Place, EngineError> {
        if model != self.config.model {
            return Err(EngineError::ModelUnknown);
        }
        self.admission
            .enter(self.config.max_streams, || EngineError::QueueFull {
                retry_after: RETRY_AFTER,
            })
    }

    async fn begin(&self, request: GenerateRequest) -> Result<EventStream, EngineError> {
        let place = self.enter(&request.model)?;
        let (path, body) = request::generate(&request, &self.config)?;
        let deadline = self.config.deadline();
        let mut connection = Connection::open(&self.config).await?;
        let response = connection.post(path, body, &self.config).await?;
        let reader = AnswerReader::new(&request);
        let idle = self.config.idle_timeout;
        let limit = self.config.answer_timeout;
        let (events, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let _place = place;
            // Lives as long as the answer: dropping it closes the socket.
            let _connection = connection;
            let reading = reader.run(response, idle, &events);
            let result = match tokio::time::timeout_at(deadline, reading).await {
                Ok(result) => result,
                Err(_) => Err(EngineError::Timeout { limit }),
            };
            if let Err(error) = result {
                let _ = events.send(Event::Error(error.to_api()));
                let _ = events.send(Event::End);
            }
        });
        Ok(EventStream::new(receiver, move || task.abort()))
    }

    async fn embed_all(&self, request: EmbeddingsRequest) -> Result<Embeddings, EngineError> {
        let _place = self.enter(&request.model)?;
        let body = request::embed(&request, &self.config)?;
        let limit = self.config.answer_timeout;
        let work = async {
            let mut connection = Connection::open(&self.config).await?;
            let response = connection
                .post("/v1/embeddings", body, &self.config)
                .await?;
            let body = connection::whole_body(response, MAX_EMBEDDINGS_BODY).await?;
            answer::embeddings(&body, request.inputs.len())
        };
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_| EngineError::Timeout { limit })?
    }
}

impl Engine for UpstreamEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let mut model = ModelInfo::new(&self.config.model, self.config.context_tokens);
        model.embedding_length = self.config.embedding_length;
        vec![model]
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<EventStream, EngineError>> {
        self.begin(request).boxed()
    }

    fn embed(&self, request: EmbeddingsRequest) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        self.embed_all(request).boxed()
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

/// Told to clients when all streams are taken; the server's own pace is unknown.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(2);
/// 2048 inputs of 4096 numbers of 4 bytes, as JSON text.
const MAX_EMBEDDINGS_BODY: usize = 128 << 20;

//! Answers: whole ones here, streamed ones in [`super::streaming`].

use std::sync::Arc;

use getrandom::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use subrosa_api::collect::Collector;
use subrosa_api::endpoint::embeddings::{self, EmbeddingsRequest};
use subrosa_api::endpoint::models::{Model, list_body};
use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::{Event, Start};
use subrosa_api::request::{Api, GenerateRequest};
use subrosa_channel::{AnswerError, Responder, ResponseClass, ResponseHead, absent_weights};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::call::{Call, Refusal};
use super::http::Content;
use super::problem::Problem;
use super::{Running, Service, streaming};
use crate::metrics::Outcome;

/// A whole answer, not yet sealed.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Zeroizing<Vec<u8>>,
    /// What goes with an error: its code, and whether to send again (spec/errors.md).
    headers: Vec<(&'static str, String)>,
    /// Whether an engine has seen the request.
    ran: bool,
    weights: [u8; 32],
}

/// Makes answers.
pub(super) struct Answerer<'a> {
    service: &'a Arc<Service>,
    running: &'a Running,
    deadline: Instant,
}

impl Answer {
    /// A refusal before an engine has seen the request.
    pub(super) fn refusal(refusal: &Refusal) -> Self {
        Self::error(refusal.api, &refusal.error, false)
    }

    /// The deadline passed while an engine worked.
    pub(super) fn timeout(api: Api) -> Self {
        Self::error(api, &ApiError::from_code(Code::Timeout), true)
    }

    /// `seen`: whether the engine may have begun.
    fn error(api: Api, error: &ApiError, seen: bool) -> Self {
        Self {
            status: sealed_status(error.code),
            body: error.body(api).into(),
            headers: error.headers(),
            ran: seen && !error.code.nothing_ran(),
            weights: absent_weights(),
        }
    }

    fn good(body: Vec<u8>, weights: Option<[u8; 32]>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            headers: Vec::new(),
            ran: weights.is_some(),
            weights: weights.unwrap_or_else(absent_weights),
        }
    }

    /// Seals head, body and receipt in class *whole*.
    pub(super) fn seal(self, responder: Responder) -> Result<Vec<u8>, AnswerError> {
        let mut head = ResponseHead::new(self.status, "application/json");
        head.headers.push(ran(self.ran));
        for (name, value) in self.headers {
            head.headers.push((name.to_owned(), value));
        }
        let mut sealer = responder.start(ResponseClass::Whole, &mut UnwrapErr(SysRng))?;
        sealer.head(&head)?;
        sealer.body(&self.body)?;
        sealer.complete(&self.weights)?;
        let mut out = Vec::new();
        sealer.poll(&mut out);
        Ok(out)
    }
}

impl<'a> Answerer<'a> {
    pub(super) fn new(service: &'a Arc<Service>, running: &'a Running, deadline: Instant) -> Self {
        Self {
            service,
            running,
            deadline,
        }
    }

    /// Makes a whole answer.
    pub(super) async fn whole(&self, call: &Call) -> Answer {
        let made = match call {
            Call::Models => Ok(Answer::good(list_body(&self.models()), None)),
            Call::Model(name) => self.model(name),
            Call::Embed(request) => self.embed(request).await,
            Call::Generate(request) => self.generate(request).await,
        };
        made.unwrap_or_else(|error| Answer::error(call.api(), &error, true))
    }

    /// Starts a streamed answer. A request that the engine refuses gets a whole
    /// one.
    pub(super) async fn stream(
        self,
        responder: Responder,
        request: GenerateRequest,
        permit: OwnedSemaphorePermit,
    ) -> Result<Content, Problem> {
        let internal = |_: AnswerError| Problem::from_code(Code::Internal);
        let (api, start) = (request.api, self.start(&request));
        let weights = self.weights(&request.model);
        let admitted =
            timeout_at(self.deadline, self.running.started.engine.generate(request)).await;
        let refused = match admitted {
            Ok(Ok(events)) => {
                let sealer = responder
                    .start(ResponseClass::Stream, &mut UnwrapErr(SysRng))
                    .map_err(internal)?;
                let pump = streaming::Pump::new(sealer, events, weights, self.deadline);
                return pump.begin(self.service, start, permit).map_err(internal);
            }
            Ok(Err(error)) => Answer::error(api, &error.to_api(), true),
            Err(_) => Answer::timeout(api),
        };
        self.service
            .metrics
            .request(Outcome::of_status(refused.status));
        let sealed = refused.seal(responder).map_err(internal)?;
        Ok(Content::Whole(Some(sealed.into())))
    }

    async fn generate(&self, request: &GenerateRequest) -> Result<Answer, ApiError> {
        let mut collector = Collector::for_request(request);
        collector.push(&Event::Start(self.start(request)));
        let weights = self.weights(&request.model);
        let mut events = self
            .running
            .started
            .engine
            .generate(request.clone())
            .await?;
        while let Some(event) = events.next().await {
            if let Event::Usage(usage) = &event {
                self.service.metrics.usage(*usage);
            }
            collector.push(&event);
        }
        Ok(Answer::good(collector.finish()?, Some(weights)))
    }

    async fn embed(&self, request: &EmbeddingsRequest) -> Result<Answer, ApiError> {
        let weights = self.weights(&request.model);
        let made = self.running.started.engine.embed(request.clone()).await?;
        let body = embeddings::body(
            &request.model,
            &made.vectors,
            request.encoding,
            made.prompt_tokens,
        );
        Ok(Answer::good(body, Some(weights)))
    }

    fn model(&self, name: &str) -> Result<Answer, ApiError> {
        let model = self.models().into_iter().find(|model| model.id == name);
        let unknown = || ApiError::from_code(Code::ModelNotFound).with_param("model");
        Ok(Answer::good(model.ok_or_else(unknown)?.body(), None))
    }

    fn models(&self) -> Vec<Model> {
        let model = |name: &String| Model {
            id: name.clone(),
            created: self.running.since,
            owned_by: "subrosa".to_owned(),
        };
        self.running
            .models
            .iter()
            .map(|entry| model(&entry.name))
            .collect()
    }

    fn weights(&self, name: &str) -> [u8; 32] {
        let entry = self.running.models.iter().find(|entry| entry.name == name);
        entry.map_or_else(absent_weights, |entry| entry.weights)
    }

    fn start(&self, request: &GenerateRequest) -> Start {
        let mut random = [0; 12];
        UnwrapErr(SysRng).fill_bytes(&mut random);
        Start {
            api: request.api,
            id: format!("{}{}", request.api.id_prefix(), hex::encode(random)),
            created: self.running.epochs.now(),
            model: request.model.clone(),
        }
    }
}

/// The header that says whether an engine has seen the request.
pub(super) fn ran(ran: bool) -> (String, String) {
    let value = if ran { "yes" } else { "no" };
    ("subrosa-ran".to_owned(), value.to_owned())
}

/// The status inside the seal. The codes of the exchange carry the status that
/// a proxy answers, so the one that the enclave itself seals has its own here.
fn sealed_status(code: Code) -> u16 {
    match code {
        Code::MalformedRequest => 400,
        code => code.status(),
    }
}

//! Keeps a worker running and gives it work.
//!
//! One task owns everything: requests that wait, requests the worker has, and
//! the worker itself. When the worker dies, the answers it was writing end with
//! an error, what waited keeps waiting, and a new worker is started.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use subrosa_api::event::{Event, FinishReason, Logprob, TokenLogprob, Usage};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::admission::Place;
use crate::embedded::config::EmbeddedConfig;
use crate::embedded::process::{StartError, WorkerProcess};
use crate::embedded::status::Status;
use crate::embedded::weights::SealedWeights;
use crate::embedded::wire::{Finish, FromWorker, Job, Piece, Ready, Refusal, ToWorker};
use crate::engine::EngineError;

/// What the engine's handle asks for.
pub(crate) enum Command {
    Cancel(u64),
    Embed(EmbedCommand),
    Generate(Box<GenerateCommand>),
}

/// One text to embed.
pub(crate) struct EmbedCommand {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) reply: oneshot::Sender<Result<(Vec<f32>, u32), EngineError>>,
}

/// One request for text.
pub(crate) struct GenerateCommand {
    pub(crate) job: Job,
    pub(crate) place: Place,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) admitted: oneshot::Sender<Result<(), EngineError>>,
}

/// The task's state.
pub(crate) struct Supervisor {
    config: Arc<EmbeddedConfig>,
    weights: Arc<SealedWeights>,
    status: Arc<Status>,
    worker: Option<WorkerProcess>,
    starting: Option<BoxFuture<'static, Result<(WorkerProcess, Ready), StartError>>>,
    up_since: Instant,
    backoff: Duration,
    waiting: VecDeque<Box<GenerateCommand>>,
    answers: HashMap<u64, Answer>,
    embeddings: HashMap<u64, EmbedCommand>,
}

/// A request the worker has.
struct Answer {
    _place: Place,
    events: mpsc::UnboundedSender<Event>,
    /// Present until the worker has accepted or refused the request.
    admitted: Option<oneshot::Sender<Result<(), EngineError>>>,
    streams: usize,
    started: Instant,
    deadline: Instant,
}

impl Supervisor {
    /// Supervises `worker`, which has just started.
    pub(crate) fn new(
        config: Arc<EmbeddedConfig>,
        weights: Arc<SealedWeights>,
        status: Arc<Status>,
        worker: WorkerProcess,
    ) -> Self {
        status.set_worker(worker.id());
        Self {
            config,
            weights,
            status,
            worker: Some(worker),
            starting: None,
            up_since: Instant::now(),
            backoff: FIRST_BACKOFF,
            waiting: VecDeque::new(),
            answers: HashMap::new(),
            embeddings: HashMap::new(),
        }
    }

    /// Works until every handle of the engine is gone.
    pub(crate) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut clock = tokio::time::interval(CLOCK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                message = next_message(self.worker.as_mut()) => match message {
                    Some(message) => self.message(message),
                    None => self.crashed(),
                },
                started = finished(self.starting.as_mut()) => self.started(started),
                _ = clock.tick() => self.time_out(),
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Cancel(id) => self.cancel(id),
            Command::Embed(command) => self.embed(command),
            Command::Generate(command) => {
                if self.worker.is_none() {
                    let _ = command.admitted.send(Err(self.restarting()));
                    return;
                }
                self.waiting.push_back(command);
                self.dispatch();
            }
        }
    }

    fn cancel(&mut self, id: u64) {
        self.waiting.retain(|command| command.job.id != id);
        if self.answers.remove(&id).is_some() {
            self.tell(&ToWorker::Cancel { id });
        }
        self.dispatch();
    }

    fn embed(&mut self, command: EmbedCommand) {
        if self.worker.is_none() {
            let _ = command.reply.send(Err(self.restarting()));
            return;
        }
        let id = command.id;
        let text = command.text.clone();
        if self.tell(&ToWorker::Embed { id, text }) {
            self.embeddings.insert(id, command);
        } else {
            let _ = command.reply.send(Err(EngineError::ContextTooLong {
                prompt_tokens: None,
                limit: self.status.context_tokens(),
            }));
        }
    }

    /// Gives the worker what it has room for, first come first served.
    fn dispatch(&mut self) {
        let places = usize::from(self.config.max_streams.max(1));
        while self.worker.is_some()
            && let Some(next) = self.waiting.front()
        {
            let streams = usize::from(next.job.choices);
            let taken: usize = self.answers.values().map(|answer| answer.streams).sum();
            if taken.saturating_add(streams) > places {
                break;
            }
            if let Some(command) = self.waiting.pop_front() {
                self.give(*command, streams);
            }
        }
        self.status.set_load(self.answers.len(), self.waiting.len());
    }

    fn give(&mut self, command: GenerateCommand, streams: usize) {
        let id = command.job.id;
        if !self.tell(&ToWorker::Generate(Box::new(command.job))) {
            let _ = command.admitted.send(Err(EngineError::ContextTooLong {
                prompt_tokens: None,
                limit: self.status.context_tokens(),
            }));
            return;
        }
        let started = Instant::now();
        let timeout = self.config.answer_timeout;
        let answer = Answer {
            _place: command.place,
            events: command.events,
            admitted: Some(command.admitted),
            streams,
            started,
            deadline: started.checked_add(timeout).unwrap_or(started),
        };
        self.answers.insert(id, answer);
    }

    fn message(&mut self, message: FromWorker) {
        match message {
            FromWorker::Admitted { id } => {
                let admitted = self.answers.get_mut(&id).and_then(|a| a.admitted.take());
                if let Some(admitted) = admitted {
                    let _ = admitted.send(Ok(()));
                }
            }
            FromWorker::Piece { id, choice, piece } => {
                if let (Some(answer), Some(event)) = (self.answers.get(&id), event(choice, piece)) {
                    let _ = answer.events.send(event);
                }
            }
            FromWorker::Ended { id, counts } => {
                if let Some(answer) = self.answers.remove(&id) {
                    self.status.note_duration(answer.started.elapsed());
                    let usage = Usage {
                        prompt: counts.prompt,
                        completion: counts.completion,
                        cached: counts.cached,
                    };
                    let _ = answer.events.send(Event::Usage(usage));
                    let _ = answer.events.send(Event::End);
                }
                self.dispatch();
            }
            FromWorker::Refused { id, refusal } => {
                let error = refused(refusal);
                if let Some(answer) = self.answers.remove(&id) {
                    answer.fail(error);
                } else if let Some(embedding) = self.embeddings.remove(&id) {
                    let _ = embedding.reply.send(Err(error));
                }
                self.dispatch();
            }
            FromWorker::Embedded { id, vector, tokens } => {
                if let Some(embedding) = self.embeddings.remove(&id) {
                    let _ = embedding.reply.send(Ok((vector, tokens)));
                }
            }
            // Said once, while starting; said again it means nothing.
            FromWorker::Failed(_) | FromWorker::Ready(_) => {}
        }
    }

    /// The worker is gone: ends what it had and starts another.
    fn crashed(&mut self) {
        self.worker = None;
        self.status.set_worker(None);
        for (_, answer) in self.answers.drain() {
            answer.fail(EngineError::WorkerCrashed);
        }
        for (_, embedding) in self.embeddings.drain() {
            let _ = embedding.reply.send(Err(EngineError::WorkerCrashed));
        }
        if self.up_since.elapsed() > STABLE {
            self.backoff = FIRST_BACKOFF;
        }
        self.restart();
    }

    fn restart(&mut self) {
        let (config, weights) = (Arc::clone(&self.config), Arc::clone(&self.weights));
        let pause = self.backoff;
        self.backoff = self.backoff.saturating_mul(2).min(LONGEST_BACKOFF);
        self.status.note_restart();
        let start = async move {
            tokio::time::sleep(pause).await;
            WorkerProcess::start(&config, &weights).await
        };
        self.starting = Some(start.boxed());
    }

    fn started(&mut self, started: Result<(WorkerProcess, Ready), StartError>) {
        self.starting = None;
        match started {
            Ok((worker, _)) => {
                self.status.set_worker(worker.id());
                self.worker = Some(worker);
                self.up_since = Instant::now();
                self.dispatch();
            }
            Err(_) => self.restart(),
        }
    }

    fn restarting(&self) -> EngineError {
        EngineError::WorkerRestarting {
            retry_after: self.backoff,
        }
    }

    /// Ends answers that take too long.
    fn time_out(&mut self) {
        let now = Instant::now();
        let late: Vec<u64> = self
            .answers
            .iter()
            .filter(|(_, answer)| answer.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some(answer) = self.answers.remove(&id) {
                self.tell(&ToWorker::Cancel { id });
                answer.fail(EngineError::Timeout {
                    limit: self.config.answer_timeout,
                });
            }
        }
        self.dispatch();
    }

    /// False if the message could not be sent because it is too large.
    fn tell(&self, message: &ToWorker) -> bool {
        self.worker
            .as_ref()
            .is_none_or(|worker| worker.tell(message))
    }
}

impl Answer {
    /// Ends the answer, or refuses it if it has not begun.
    fn fail(self, error: EngineError) {
        if let Some(admitted) = self.admitted {
            let _ = admitted.send(Err(error));
        } else {
            let _ = self.events.send(Event::Error(error.to_api()));
            let _ = self.events.send(Event::End);
        }
    }
}

/// A refusal of the worker as the engine's error.
fn refused(refusal: Refusal) -> EngineError {
    let invalid = |field, reason| EngineError::InvalidField { field, reason };
    match refusal {
        Refusal::ContextTooLong { tokens, limit } => EngineError::ContextTooLong {
            prompt_tokens: tokens,
            limit,
        },
        Refusal::Grammar => invalid("response_format", "cannot be enforced by this model"),
        Refusal::Internal => EngineError::Internal,
        Refusal::LogitBias => invalid("logit_bias", "names a token the model does not have"),
        Refusal::NoEmbeddings => EngineError::Unsupported {
            feature: "embedding",
        },
        Refusal::Template => invalid("messages", "are refused by the model's chat template"),
    }
}

/// The worker's next message; never resolves without a worker.
async fn next_message(worker: Option<&mut WorkerProcess>) -> Option<FromWorker> {
    match worker {
        Some(worker) => worker.messages.recv().await,
        None => std::future::pending().await,
    }
}

/// The result of `future`; never resolves without one.
async fn finished<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// A piece as clients see it. `None` if no identifier can be drawn.
fn event(choice: u8, piece: Piece) -> Option<Event> {
    Some(match piece {
        Piece::Arguments { index, text } => Event::ToolCallArguments {
            choice,
            index,
            text,
        },
        Piece::Call { index, name } => Event::ToolCallStart {
            choice,
            index,
            id: format!("call_{:016x}", getrandom::u64().ok()?),
            name,
        },
        Piece::Finish { reason, stop } => Event::Finish {
            choice,
            reason: match reason {
                Finish::Length => FinishReason::Length,
                Finish::Stop => FinishReason::Stop,
                Finish::ToolCalls => FinishReason::ToolCalls,
            },
            stop_sequence: stop,
        },
        Piece::Logprobs(tokens) => Event::Logprobs {
            choice,
            tokens: tokens
                .into_iter()
                .map(|token| TokenLogprob {
                    token: logprob(token.token),
                    top: token.top.into_iter().map(logprob).collect(),
                })
                .collect(),
        },
        Piece::Text(text) => Event::TextDelta { choice, text },
    })
}

fn logprob((bytes, logprob): (Vec<u8>, f32)) -> Logprob {
    Logprob { bytes, logprob }
}

/// Pause before a crashed worker is started again; doubles each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A worker that lived this long has not crashed at once.
const STABLE: Duration = Duration::from_mins(1);
/// How often deadlines are looked at.
const CLOCK: Duration = Duration::from_millis(250);

//! The worker process: sandbox, model, then requests until the pipe closes.
//!
//! Its standard input is a socket to the supervisor; the model is an inherited
//! descriptor. It has no file, no network and no keys, and of
//! the environment only how its threads wait.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};

use crate::embedded::answer::ModelParts;
use crate::embedded::contexts;
use crate::embedded::embedder::Embedder;
use crate::embedded::ipc::{self, MAX_TO_WORKER};
use crate::embedded::outbox::Outbox;
use crate::embedded::sandbox;
use crate::embedded::scheduler::{Request, Scheduler, Work};
use crate::embedded::template::{ChatTemplate, Segment};
use crate::embedded::vocabulary::Vocabulary;
use crate::embedded::wire::{
    FromWorker, Job, Prompt, Ready, Refusal, StartFailure, ToWorker, WorkerSettings,
};

/// The descriptor under which a worker finds the sealed weights.
pub(crate) const WEIGHTS_DESCRIPTOR: i32 = 3;

/// Address space for the intake's stack; only what is used takes memory.
const INTAKE_STACK: usize = 256 << 20;
/// The longest a worker may compute for nobody.
const LAST_STEP: Duration = Duration::from_secs(5);

/// Runs the worker; the whole program of a `worker` subcommand.
///
/// Must be called before the process starts a thread: the sandbox is entered
/// here. Returns when the supervisor closes the pipe.
#[must_use]
pub fn run() -> ExitCode {
    close_inherited();
    let Ok(pipe) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let pipe = File::from(pipe);
    let Ok(writer) = pipe.try_clone() else {
        return ExitCode::FAILURE;
    };
    let outbox = Outbox::new(writer);
    match serve(pipe, &outbox) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            outbox.push(&FromWorker::Failed(failure));
            let _ = outbox.flush();
            ExitCode::FAILURE
        }
    }
}

/// Closes what the supervisor may have inherited and passed on unawares. Nothing
/// of ours is open yet.
fn close_inherited() {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in open {
        if descriptor > WEIGHTS_DESCRIPTOR {
            // Fails for the one that listed the folder, closed by now.
            let _ = nix::unistd::close(descriptor);
        }
    }
}

fn serve(mut pipe: File, outbox: &Outbox) -> Result<(), StartFailure> {
    // What the library logs of prompts is not known, so it logs nothing.
    send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
    let Ok(Some(ToWorker::Configure(settings))) = ipc::read(&mut pipe, MAX_TO_WORKER) else {
        return Ok(());
    };
    let mut report = sandbox::enter(settings.sandbox).map_err(StartFailure::Sandbox)?;
    let backend = LlamaBackend::init().map_err(|_| StartFailure::Model)?;
    let model = load(&backend)?;
    let settings = within(settings, &model);
    let vocabulary = Vocabulary::new(&model);
    let template = template(&model, &vocabulary)?;
    let context = contexts::generation(&backend, &model, &settings).ok_or(StartFailure::Context)?;
    if let Err(missing) = sandbox::close() {
        report.seccomp = missing;
        if settings.sandbox == sandbox::SandboxMode::Required {
            return Err(StartFailure::Sandbox(report));
        }
    }
    outbox.push(&FromWorker::Ready(Ready {
        sandbox: report,
        context_tokens: settings.context_tokens,
        vocabulary: u32::try_from(vocabulary.len()).unwrap_or(u32::MAX),
        embedding_length: settings
            .embeddings
            .then(|| u32::try_from(model.n_embd_out()).unwrap_or(0)),
    }));
    if outbox.flush().is_err() {
        return Ok(());
    }
    let parts = ModelParts {
        model: &model,
        vocabulary: &vocabulary,
    };
    let embedder = Embedder::new(&backend, &model, settings.clone());
    let scheduler = Scheduler::new(parts, context, embedder, outbox, &settings);
    let intake = Intake {
        vocabulary: &vocabulary,
        template: template.as_ref(),
        settings: &settings,
        outbox,
    };
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        // Some tokenizers of the library recurse once per character.
        let thread = std::thread::Builder::new().stack_size(INTAKE_STACK);
        let started = thread.spawn_scoped(scope, move || {
            intake.run(&mut pipe, &sender);
            end_soon();
        });
        if started.is_ok() {
            scheduler.run(&receiver);
        }
    });
    Ok(())
}

/// The supervisor is gone. The process ends by itself once the scheduler has
/// noticed; if the library hangs, it ends all the same.
fn end_soon() {
    // Detached: it dies with the process.
    std::thread::spawn(|| {
        std::thread::sleep(LAST_STEP);
        std::process::abort();
    });
}

fn load(backend: &LlamaBackend) -> Result<LlamaModel, StartFailure> {
    // Mapped, so that a restarted worker shares the pages.
    let params = LlamaModelParams::default().with_use_mmap(true);
    let path = format!("/proc/self/fd/{WEIGHTS_DESCRIPTOR}");
    LlamaModel::load_from_file(backend, path, &params).map_err(|_| StartFailure::Model)
}

/// The settings within what the model was trained for.
fn within(mut settings: WorkerSettings, model: &LlamaModel) -> WorkerSettings {
    let trained = model.n_ctx_train().max(1);
    settings.context_tokens = settings.context_tokens.min(trained);
    settings.kv_tokens = settings.kv_tokens.max(settings.context_tokens);
    settings
}

/// The model's chat template. A model without one only continues text.
fn template(
    model: &LlamaModel,
    vocabulary: &Vocabulary<'_>,
) -> Result<Option<ChatTemplate>, StartFailure> {
    let Ok(source) = model.meta_val_str("tokenizer.chat_template") else {
        return Ok(None);
    };
    ChatTemplate::new(
        &source,
        vocabulary.bos_text(),
        vocabulary.eos_text(),
        vocabulary.special_texts(),
    )
    .map(Some)
    .map_err(|_| StartFailure::Template)
}

/// Reads requests and turns them into tokens, beside the scheduler.
struct Intake<'a, 'm> {
    vocabulary: &'a Vocabulary<'m>,
    template: Option<&'a ChatTemplate>,
    settings: &'a WorkerSettings,
    outbox: &'a Outbox,
}

impl Intake<'_, '_> {
    /// Works until the pipe closes; dropping `work` then ends the scheduler.
    fn run(&self, pipe: &mut File, work: &Sender<Work>) {
        while let Ok(Some(message)) = ipc::read(pipe, MAX_TO_WORKER) {
            let (id, item) = match message {
                ToWorker::Cancel { id } => (id, Ok(Work::Cancel(id))),
                ToWorker::Configure(_) => return,
                ToWorker::Embed { id, text } => (id, self.embed(id, text)),
                ToWorker::Generate(job) => (job.id, self.generate(*job)),
            };
            match item {
                Ok(item) => {
                    if work.send(item).is_err() {
                        return;
                    }
                }
                Err(refusal) => {
                    self.outbox.push(&FromWorker::Refused { id, refusal });
                    if self.outbox.flush().is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn embed(&self, id: u64, text: String) -> Result<Work, Refusal> {
        let limit = usize_of(contexts::embedding_tokens(self.settings));
        self.check_bytes(text.len(), limit)?;
        let tokens = self.vocabulary.tokenize(&[Segment::Content(text)]);
        if tokens.is_empty() || tokens.len() > limit {
            return Err(Refusal::ContextTooLong {
                tokens: Some(tokens.len()),
                limit,
            });
        }
        Ok(Work::Embed { id, tokens })
    }

    fn generate(&self, job: Job) -> Result<Work, Refusal> {
        let context = usize_of(self.settings.context_tokens);
        let segments = self.segments(job.prompt)?;
        let bytes = segments.iter().map(|segment| match segment {
            Segment::Content(text) | Segment::Template(text) => text.len(),
        });
        self.check_bytes(bytes.sum(), context)?;
        let prompt = self.vocabulary.tokenize(&segments);
        let room = self.room(prompt.len(), job.choices)?;
        let vocabulary = u32::try_from(self.vocabulary.len()).unwrap_or(u32::MAX);
        if job
            .sampling
            .logit_bias
            .iter()
            .any(|(token, _)| *token >= vocabulary)
        {
            return Err(Refusal::LogitBias);
        }
        Ok(Work::Generate(Box::new(Request {
            id: job.id,
            prompt,
            sampling: job.sampling,
            stops: job.stops,
            limit: job.max_tokens.unwrap_or(room).min(room),
            choices: job.choices.max(1),
            logprobs: job.logprobs.map(usize::from),
            form: job.form,
            cache_key: job.cache_key,
        })))
    }

    /// Tokens each of `choices` answers to a prompt may have.
    fn room(&self, prompt: usize, choices: u8) -> Result<u32, Refusal> {
        let context = usize_of(self.settings.context_tokens);
        let too_long = Refusal::ContextTooLong {
            tokens: Some(prompt),
            limit: context,
        };
        if prompt == 0 {
            return Err(too_long);
        }
        let cells = usize_of(self.settings.kv_tokens).saturating_sub(prompt);
        let each = cells.checked_div(usize::from(choices.max(1))).unwrap_or(0);
        let room = context.saturating_sub(prompt).min(each);
        match u32::try_from(room) {
            Ok(room) if room > 0 => Ok(room),
            _ => Err(too_long),
        }
    }

    /// Refuses text that cannot fit before time is spent on it.
    fn check_bytes(&self, bytes: usize, limit: usize) -> Result<(), Refusal> {
        if self.vocabulary.at_least_tokens(bytes) > limit {
            return Err(Refusal::ContextTooLong {
                tokens: None,
                limit,
            });
        }
        Ok(())
    }

    fn segments(&self, prompt: Prompt) -> Result<Vec<Segment>, Refusal> {
        match prompt {
            Prompt::Text(text) => Ok(vec![Segment::Content(text)]),
            Prompt::Chat { messages, tools } => {
                let mut random = [0; 16];
                getrandom::fill(&mut random).map_err(|_| Refusal::Internal)?;
                let template = self.template.ok_or(Refusal::Template)?;
                template
                    .render(&messages, &tools, u128::from_le_bytes(random))
                    .map_err(|_| Refusal::Template)
            }
        }
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

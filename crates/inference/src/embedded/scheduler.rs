//! Many answers at once: continuous batching over the model's sequences.
//!
//! ```text
//! every step:  take new requests → admit what fits → one batch → choose tokens → send
//!              batch = one token of every running answer
//!                    + a chunk of prompts, shared equally by those that wait
//! ```
//!
//! So a long prompt delays running answers by one chunk at most, and a short
//! prompt does not wait behind a long one.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use crate::embedded::answer::{Answer, ModelParts, Options, Step};
use crate::embedded::embedder::Embedder;
use crate::embedded::outbox::Outbox;
use crate::embedded::prefix_cache::{Entry, Key, PrefixCache};
use crate::embedded::wire::{Counts, Form, FromWorker, Refusal, WorkerSettings};

/// What the intake hands to the scheduler.
pub(crate) enum Work {
    Cancel(u64),
    Embed { id: u64, tokens: Vec<LlamaToken> },
    Generate(Box<Request>),
}

/// A request whose prompt is tokens.
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) prompt: Vec<LlamaToken>,
    pub(crate) sampling: crate::embedded::sampling::SamplingParams,
    pub(crate) stops: Vec<String>,
    /// Most tokens of each choice; already within the context.
    pub(crate) limit: u32,
    pub(crate) choices: u8,
    pub(crate) logprobs: Option<usize>,
    pub(crate) form: Form,
    pub(crate) cache_key: Option<Key>,
}

impl Request {
    /// Cells of the model's memory that the answer may come to need.
    pub(crate) fn cells(&self) -> usize {
        let answers = u64::from(self.limit).saturating_mul(u64::from(self.choices));
        let answers = usize::try_from(answers).unwrap_or(usize::MAX);
        self.prompt.len().saturating_add(answers)
    }
}

/// The worker's loop.
pub(crate) struct Scheduler<'a, 'm> {
    parts: ModelParts<'a, 'm>,
    context: LlamaContext<'m>,
    embedder: Embedder<'m>,
    outbox: &'a Outbox,
    batch: LlamaBatch<'static>,
    chunk: usize,
    cells: usize,
    free: Vec<i32>,
    cache: PrefixCache,
    waiting: VecDeque<Box<Request>>,
    running: Vec<Running>,
    embedding: VecDeque<(u64, Vec<LlamaToken>)>,
    /// Whether the model's memory still holds something of a finished answer.
    dirty: bool,
}

/// An admitted request.
struct Running {
    id: u64,
    request: Box<Request>,
    /// Tokens of the prompt that the memory holds.
    filled: usize,
    cached: usize,
    choices: Vec<Choice>,
}

struct Choice {
    number: u8,
    sequence: i32,
    answer: Answer,
    /// Chosen, but not yet in the memory; `None` when the choice is over.
    next: Option<LlamaToken>,
    /// Tokens of the answer that the memory holds.
    written: Vec<LlamaToken>,
}

/// A row of the batch whose logits are needed.
struct Output {
    row: i32,
    running: usize,
    /// The choice that continues, or all of them after the prompt.
    choice: Option<usize>,
}

impl<'a, 'm> Scheduler<'a, 'm> {
    /// A scheduler over `context`, which was created with `settings`.
    pub(crate) fn new(
        parts: ModelParts<'a, 'm>,
        context: LlamaContext<'m>,
        embedder: Embedder<'m>,
        outbox: &'a Outbox,
        settings: &WorkerSettings,
    ) -> Self {
        let chunk = usize_of(settings.prefill_chunk).max(1);
        let streams = usize_of(settings.streams);
        let sequences = settings.streams.saturating_add(settings.cached_prefixes);
        let lifetime = Duration::from_secs(settings.cache_seconds);
        Self {
            parts,
            embedder,
            outbox,
            batch: LlamaBatch::new(chunk.saturating_add(streams), 1),
            chunk,
            cells: usize_of(context.n_ctx()),
            context,
            free: (0..i32::try_from(sequences).unwrap_or(i32::MAX))
                .rev()
                .collect(),
            cache: PrefixCache::new(usize_of(settings.cached_prefixes), lifetime),
            waiting: VecDeque::new(),
            running: Vec::new(),
            embedding: VecDeque::new(),
            dirty: false,
        }
    }

    /// Works until the supervisor closes the pipe.
    pub(crate) fn run(mut self, work: &Receiver<Work>) {
        loop {
            if self.is_idle() {
                match self.rest(work) {
                    Some(item) => self.take(item),
                    None => return,
                }
            }
            loop {
                match work.try_recv() {
                    Ok(item) => self.take(item),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            for sequence in self.cache.expire(Instant::now()) {
                self.release(sequence);
            }
            self.embed_one();
            self.admit();
            self.step();
            if self.outbox.flush().is_err() {
                return;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty() && self.embedding.is_empty()
    }

    /// Waits for work; after a while without any, wipes the model's memory.
    fn rest(&mut self, work: &Receiver<Work>) -> Option<Work> {
        loop {
            match work.recv_timeout(REST) {
                Ok(item) => return Some(item),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    for sequence in self.cache.expire(Instant::now()) {
                        self.release(sequence);
                    }
                    if self.dirty && self.cache.is_empty() {
                        self.context.clear_kv_cache();
                        self.embedder.clear();
                        self.dirty = false;
                    }
                }
            }
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Cancel(id) => self.cancel(id),
            Work::Embed { id, tokens } => self.embedding.push_back((id, tokens)),
            Work::Generate(request) => self.waiting.push_back(request),
        }
    }

    fn cancel(&mut self, id: u64) {
        self.waiting.retain(|request| request.id != id);
        self.embedding.retain(|(embedding, _)| *embedding != id);
        if let Some(at) = self.running.iter().position(|running| running.id == id) {
            let running = self.running.remove(at);
            for choice in &running.choices {
                self.release(choice.sequence);
            }
        }
    }

    /// Empties a sequence and makes it free.
    fn release(&mut self, sequence: i32) {
        self.wipe_from(sequence, 0);
        self.free.push(sequence);
        self.dirty = true;
    }

    /// Forgets a sequence from a position on; false if the model cannot forget
    /// a part.
    fn wipe_from(&mut self, sequence: i32, position: usize) -> bool {
        let number = u32::try_from(sequence).ok();
        let from = u32::try_from(position).ok().filter(|from| *from > 0);
        self.context
            .clear_kv_cache_seq(number, from, None)
            .unwrap_or(false)
    }

    fn embed_one(&mut self) {
        if let Some((id, tokens)) = self.embedding.pop_front() {
            self.dirty = true;
            let message = match self.embedder.embed(&tokens) {
                Ok(vector) => FromWorker::Embedded {
                    id,
                    vector,
                    tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
                },
                Err(refusal) => FromWorker::Refused { id, refusal },
            };
            self.outbox.push(&message);
        }
    }

    /// Admits waiting requests, first come first served, while they fit.
    fn admit(&mut self) {
        while let Some(request) = self.waiting.front() {
            if !self.make_room(
                request.cells(),
                usize::from(request.choices),
                request.cache_key,
            ) {
                return;
            }
            if let Some(request) = self.waiting.pop_front() {
                self.start(request);
            }
        }
    }

    /// Evicts cached prefixes until a request fits; false if it cannot yet.
    fn make_room(&mut self, cells: usize, sequences: usize, keep: Option<Key>) -> bool {
        let reserved: usize = self.running.iter().map(|r| r.request.cells()).sum();
        loop {
            let taken = reserved.saturating_add(self.cache.cells());
            let own = keep.is_some_and(|key| self.cache.holds_only(&key));
            let fits = taken.saturating_add(cells) <= self.cells;
            if (fits || own && reserved.saturating_add(cells) <= self.cells)
                && self.free.len() >= sequences
            {
                return true;
            }
            match self.cache.evict() {
                Some(sequence) => self.release(sequence),
                None => return false,
            }
        }
    }

    fn start(&mut self, request: Box<Request>) {
        let Some(answers) = self.answers(&request) else {
            self.refuse(request.id, Refusal::Grammar);
            return;
        };
        let prompt: Vec<i32> = request.prompt.iter().map(|token| token.0).collect();
        let hit = request
            .cache_key
            .and_then(|key| self.cache.take(&key, &prompt));
        let mut cached = 0;
        let mut first = None;
        if let Some((entry, shared)) = hit {
            if shared > 0 && self.wipe_from(entry.sequence, shared) {
                cached = shared;
                first = Some(entry.sequence);
            } else {
                self.release(entry.sequence);
            }
        }
        let mut choices: Vec<Choice> = Vec::with_capacity(answers.len());
        for (number, answer) in (0_u8..).zip(answers) {
            let Some(sequence) = first.take().or_else(|| self.free.pop()) else {
                // Cannot be: `make_room` has counted them.
                for choice in &choices {
                    self.release(choice.sequence);
                }
                self.refuse(request.id, Refusal::Internal);
                return;
            };
            choices.push(Choice {
                number,
                sequence,
                answer,
                next: None,
                written: Vec::new(),
            });
        }
        self.outbox.push(&FromWorker::Admitted { id: request.id });
        self.running.push(Running {
            id: request.id,
            request,
            filled: cached,
            cached,
            choices,
        });
    }

    fn answers(&self, request: &Request) -> Option<Vec<Answer>> {
        let options = Options {
            form: &request.form,
            stops: &request.stops,
            logprobs: request.logprobs,
            limit: request.limit,
        };
        (0..request.choices)
            .map(|number| {
                let mut sampling = request.sampling.clone();
                sampling.seed = sampling.seed.wrapping_add(u64::from(number));
                Answer::new(self.parts, sampling, &request.prompt, &options)
            })
            .collect()
    }

    fn refuse(&self, id: u64, refusal: Refusal) {
        self.outbox.push(&FromWorker::Refused { id, refusal });
    }

    /// Computes one batch and lets every answer that got logits go on.
    fn step(&mut self) {
        self.batch.clear();
        let mut outputs = Vec::new();
        if self.add_answers(&mut outputs).is_none() || self.add_prompts(&mut outputs).is_none() {
            // The batch was made large enough for both.
            self.fail_all();
            return;
        }
        if self.batch.n_tokens() == 0 {
            return;
        }
        if self.context.decode(&mut self.batch).is_err() {
            self.fail_all();
            return;
        }
        for output in &outputs {
            self.advance(output);
        }
        self.retire();
    }

    /// One token of every running answer.
    fn add_answers(&mut self, outputs: &mut Vec<Output>) -> Option<()> {
        for (index, running) in self.running.iter_mut().enumerate() {
            for (number, choice) in running.choices.iter_mut().enumerate() {
                let Some(token) = choice.next.take() else {
                    continue;
                };
                let at = running
                    .request
                    .prompt
                    .len()
                    .saturating_add(choice.written.len());
                let row = self.batch.n_tokens();
                self.batch
                    .add(token, i32::try_from(at).ok()?, &[choice.sequence], true)
                    .ok()?;
                choice.written.push(token);
                outputs.push(Output {
                    row,
                    running: index,
                    choice: Some(number),
                });
            }
        }
        Some(())
    }

    /// A chunk of prompts, shared equally.
    fn add_prompts(&mut self, outputs: &mut Vec<Output>) -> Option<()> {
        let missing: Vec<usize> = self
            .running
            .iter()
            .map(|running| running.request.prompt.len().saturating_sub(running.filled))
            .collect();
        for (index, take) in shares(&missing, self.chunk).into_iter().enumerate() {
            let running = self.running.get_mut(index)?;
            let last = running.request.prompt.len().saturating_sub(1);
            let sequence = running.choices.first()?.sequence;
            for _ in 0..take {
                let at = running.filled;
                let token = *running.request.prompt.get(at)?;
                let row = self.batch.n_tokens();
                let wanted = at == last;
                self.batch
                    .add(token, i32::try_from(at).ok()?, &[sequence], wanted)
                    .ok()?;
                if wanted {
                    outputs.push(Output {
                        row,
                        running: index,
                        choice: None,
                    });
                }
                running.filled = at.saturating_add(1);
            }
        }
        Some(())
    }

    fn advance(&mut self, output: &Output) {
        let Some(running) = self.running.get_mut(output.running) else {
            return;
        };
        if output.choice.is_none() {
            // All choices start from the same prompt.
            let mut sequences = running.choices.iter().map(|choice| choice.sequence);
            if let Some(first) = sequences.next() {
                for other in sequences {
                    let _ = self.context.copy_kv_cache_seq(first, other, None, None);
                }
            }
        }
        let logits = self.context.get_logits_ith(output.row);
        for (number, choice) in running.choices.iter_mut().enumerate() {
            if output.choice.is_some_and(|only| only != number) {
                continue;
            }
            let mut pieces = Vec::new();
            let step = choice.answer.step(self.parts, logits, &mut pieces);
            for piece in pieces {
                self.outbox.push(&FromWorker::Piece {
                    id: running.id,
                    choice: choice.number,
                    piece,
                });
            }
            choice.next = match step {
                Step::Continue(token) => Some(token),
                Step::Finished => None,
            };
        }
    }

    /// Ends the requests all of whose choices are over.
    fn retire(&mut self) {
        let over = |running: &Running| {
            running.filled >= running.request.prompt.len()
                && running.choices.iter().all(|choice| choice.next.is_none())
        };
        let mut index = 0;
        while let Some(running) = self.running.get(index) {
            if over(running) {
                let running = self.running.remove(index);
                self.end(running);
            } else {
                index = index.saturating_add(1);
            }
        }
    }

    fn end(&mut self, running: Running) {
        let written = running.choices.iter().map(|choice| choice.answer.written());
        let counts = Counts {
            prompt: u32::try_from(running.request.prompt.len()).unwrap_or(u32::MAX),
            completion: written.fold(0, u32::saturating_add),
            cached: u32::try_from(running.cached).unwrap_or(u32::MAX),
        };
        let mut choices = running.choices.into_iter();
        if let Some(key) = running.request.cache_key
            && let Some(first) = choices.next()
        {
            let tokens = running.request.prompt.iter().chain(&first.written);
            let gone = self.cache.insert(Entry {
                key,
                sequence: first.sequence,
                tokens: tokens.map(|token| token.0).collect(),
                used: Instant::now(),
            });
            self.dirty = true;
            for sequence in gone {
                self.release(sequence);
            }
        }
        for choice in choices {
            self.release(choice.sequence);
        }
        self.outbox.push(&FromWorker::Ended {
            id: running.id,
            counts,
        });
    }

    /// The computation failed: what is in the memory is not known any more.
    fn fail_all(&mut self) {
        for running in std::mem::take(&mut self.running) {
            for choice in &running.choices {
                self.release(choice.sequence);
            }
            self.refuse(running.id, Refusal::Internal);
        }
        while let Some(sequence) = self.cache.evict() {
            self.release(sequence);
        }
        self.context.clear_kv_cache();
    }
}

/// How many of `chunk` prompt tokens each request gets: all the same, but none
/// more than it is `missing`, and what the shortest leave goes to the others.
fn shares(missing: &[usize], chunk: usize) -> Vec<usize> {
    let mut shares = vec![0; missing.len()];
    let mut order: Vec<(usize, usize)> = missing.iter().copied().enumerate().collect();
    order.retain(|(_, missing)| *missing > 0);
    order.sort_by_key(|(_, missing)| *missing);
    let mut left = chunk;
    let mut waiting = order.len();
    for (index, missing) in order {
        let share = left.checked_div(waiting).unwrap_or(0).max(1).min(left);
        let take = missing.min(share);
        if let Some(slot) = shares.get_mut(index) {
            *slot = take;
        }
        left = left.saturating_sub(take);
        waiting = waiting.saturating_sub(1);
    }
    shares
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How long the worker waits before it wipes the memory of finished answers.
const REST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_prompts_share_a_chunk_equally() {
        assert_eq!(shares(&[1000, 1000, 0, 2000], 300), [100, 100, 0, 100]);
    }

    #[test]
    fn what_a_short_prompt_leaves_goes_to_the_others() {
        assert_eq!(shares(&[1000, 10, 1000], 300), [145, 10, 145]);
    }

    #[test]
    fn no_prompt_gets_more_than_it_is_missing() {
        assert_eq!(shares(&[5, 0, 7], 300), [5, 0, 7]);
    }

    #[test]
    fn a_chunk_is_never_exceeded() {
        assert_eq!(shares(&[9; 5], 3).iter().sum::<usize>(), 3);
    }
}

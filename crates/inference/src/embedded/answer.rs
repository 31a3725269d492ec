//! One choice of an answer: from the token that was chosen to the pieces that
//! are sent.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use crate::embedded::sampling::{Sampler, SamplingParams, Scored, logprobs};
use crate::embedded::text::TextStream;
use crate::embedded::tools::{CallFinder, Part};
use crate::embedded::vocabulary::Vocabulary;
use crate::embedded::wire::{Finish, Form, Piece, TokenProbability};

/// What a choice needs of the model.
#[derive(Clone, Copy)]
pub(crate) struct ModelParts<'a, 'm> {
    pub(crate) model: &'m LlamaModel,
    pub(crate) vocabulary: &'a Vocabulary<'m>,
}

/// The state of one choice.
pub(crate) struct Answer {
    sampler: Sampler,
    grammar: Option<LlamaSampler>,
    /// Grammar of a call, started when one is opened.
    call_grammar: Option<String>,
    text: TextStream,
    calls: CallFinder,
    logprobs: Option<usize>,
    unsent: Vec<TokenProbability>,
    written: u32,
    limit: u32,
}

/// What became of a token.
pub(crate) enum Step {
    /// It goes on from this token.
    Continue(LlamaToken),
    /// It is over.
    Finished,
}

impl Answer {
    /// Starts a choice of at most `limit` tokens. `None` if the grammar does
    /// not compile.
    pub(crate) fn new(
        parts: ModelParts<'_, '_>,
        params: SamplingParams,
        prompt: &[LlamaToken],
        options: &Options<'_>,
    ) -> Option<Self> {
        let compile = |text: &str| LlamaSampler::grammar(parts.model, text, "root").ok();
        let (grammar, call_grammar, calls) = match options.form {
            Form::Free => (None, None, CallFinder::off()),
            Form::Grammar(text) => (Some(compile(text)?), None, CallFinder::off()),
            Form::MustCall(text) => (Some(compile(text)?), None, CallFinder::must()),
            Form::MayCall { grammar, many } => {
                // Compiled once to refuse early, then again for each call.
                compile(grammar)?;
                (None, Some(grammar.clone()), CallFinder::may(*many))
            }
        };
        let tail: Vec<u32> = prompt
            .iter()
            .filter_map(|t| u32::try_from(t.0).ok())
            .collect();
        Some(Self {
            sampler: Sampler::new(params, &tail),
            grammar,
            call_grammar,
            text: TextStream::new(options.stops.to_vec()),
            calls,
            logprobs: options.logprobs,
            unsent: Vec::new(),
            written: 0,
            limit: options.limit,
        })
    }

    /// Tokens written so far.
    pub(crate) fn written(&self) -> u32 {
        self.written
    }

    /// Chooses the next token and adds what it means to `pieces`.
    pub(crate) fn step(
        &mut self,
        parts: ModelParts<'_, '_>,
        logits: &[f32],
        pieces: &mut Vec<Piece>,
    ) -> Step {
        let token = self.choose(parts.vocabulary, logits);
        let Some(token) = token.filter(|token| !parts.vocabulary.is_end(*token)) else {
            return self.end(pieces, None);
        };
        if let Some(grammar) = &mut self.grammar
            && grammar.try_accept(token).is_err()
        {
            return self.end(pieces, None);
        }
        let id = u32::try_from(token.0).unwrap_or(u32::MAX);
        self.sampler.accept(id);
        self.written = self.written.saturating_add(1);
        let bytes = parts.vocabulary.bytes(token);
        if let Some(count) = self.logprobs {
            let (chosen, top) = logprobs(logits, id, count);
            self.unsent.push(TokenProbability {
                token: (bytes.clone(), finite(chosen.logprob)),
                top: top.iter().map(|s| scored(parts.vocabulary, *s)).collect(),
            });
        }
        let text = self.text.push(&bytes);
        self.send_text(&text, pieces);
        self.follow_calls(parts.model);
        if self.text.stopped().is_some() || self.calls.is_done() {
            return self.end(pieces, None);
        }
        if self.written >= self.limit {
            return self.end(pieces, Some(Finish::Length));
        }
        Step::Continue(token)
    }

    fn choose(&mut self, vocabulary: &Vocabulary<'_>, logits: &[f32]) -> Option<LlamaToken> {
        let Some(grammar) = &mut self.grammar else {
            let token = self.sampler.choose(logits, |_| true, |_| {})?;
            return token_of(token);
        };
        // The grammar sees the text of control tokens; clients never do.
        let steers = |token: LlamaToken| vocabulary.is_control(token) && !vocabulary.is_end(token);
        let grammar = std::cell::RefCell::new(grammar);
        let token = self.sampler.choose(
            logits,
            |token| {
                token_of(token)
                    .is_some_and(|token| !steers(token) && allows(&mut grammar.borrow_mut(), token))
            },
            |candidates| {
                candidates.retain(|(token, _)| token_of(*token).is_some_and(|t| !steers(t)));
                keep_allowed(&mut grammar.borrow_mut(), candidates);
            },
        )?;
        token_of(token)
    }

    /// Starts the grammar of a call when one is opened, and drops it when the
    /// call is closed.
    fn follow_calls(&mut self, model: &LlamaModel) {
        let Some(source) = &self.call_grammar else {
            return;
        };
        if self.grammar.is_none() && self.calls.at_start_of_call() {
            self.grammar = LlamaSampler::grammar(model, source, "root").ok();
        } else if !self.calls.in_call() {
            self.grammar = None;
        }
    }

    fn send_text(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        let parts = self.calls.push(text);
        self.send_parts(parts, pieces);
    }

    fn send_parts(&mut self, parts: Vec<Part>, pieces: &mut Vec<Piece>) {
        for part in parts {
            if matches!(part, Part::Text(_)) && !self.unsent.is_empty() {
                pieces.push(Piece::Logprobs(std::mem::take(&mut self.unsent)));
            }
            pieces.push(match part {
                Part::Text(text) => Piece::Text(text),
                Part::Call { index, name } => Piece::Call { index, name },
                Part::Arguments { index, text } => Piece::Arguments { index, text },
            });
        }
    }

    /// Sends what was held back and why the choice ended.
    fn end(&mut self, pieces: &mut Vec<Piece>, reason: Option<Finish>) -> Step {
        let text = self.text.finish();
        self.send_text(&text, pieces);
        let rest = self.calls.finish();
        self.send_parts(rest, pieces);
        let stop = self.text.stopped().map(str::to_owned);
        let reason = reason.unwrap_or(if self.calls.calls() > 0 && stop.is_none() {
            Finish::ToolCalls
        } else {
            Finish::Stop
        });
        pieces.push(Piece::Finish { reason, stop });
        Step::Finished
    }
}

/// What a request asks of each of its choices.
pub(crate) struct Options<'a> {
    pub(crate) form: &'a Form,
    pub(crate) stops: &'a [String],
    pub(crate) logprobs: Option<usize>,
    pub(crate) limit: u32,
}

fn token_of(id: u32) -> Option<LlamaToken> {
    i32::try_from(id).ok().map(LlamaToken::new)
}

/// Whether the grammar allows a token next.
fn allows(grammar: &mut LlamaSampler, token: LlamaToken) -> bool {
    let mut one = LlamaTokenDataArray::new(vec![LlamaTokenData::new(token, 0.0, 0.0)], false);
    one.apply_sampler(grammar);
    one.data
        .first()
        .is_some_and(|data| data.logit().is_finite())
}

/// Removes the candidates that the grammar forbids. Asks about the likeliest
/// first, and about the rest only if none of them is allowed: with a large
/// vocabulary and many alternatives the whole list takes too long for those who
/// share the worker.
fn keep_allowed(grammar: &mut LlamaSampler, candidates: &mut Vec<(u32, f32)>) {
    if candidates.len() > LIKELIEST {
        let falling = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1);
        candidates.select_nth_unstable_by(LIKELIEST, falling);
        let rest = candidates.split_off(LIKELIEST);
        keep_all_allowed(grammar, candidates);
        if candidates.is_empty() {
            *candidates = rest;
            keep_all_allowed(grammar, candidates);
        }
    } else {
        keep_all_allowed(grammar, candidates);
    }
    // In the order of the vocabulary, so that a seed means the same.
    candidates.sort_unstable_by_key(|(token, _)| *token);
}

fn keep_all_allowed(grammar: &mut LlamaSampler, candidates: &mut Vec<(u32, f32)>) {
    let data = candidates
        .iter()
        .filter_map(|(token, logit)| Some(LlamaTokenData::new(token_of(*token)?, *logit, 0.0)))
        .collect();
    let mut all = LlamaTokenDataArray::new(data, false);
    all.apply_sampler(grammar);
    candidates.clear();
    candidates.extend(
        all.data
            .iter()
            .filter(|data| data.logit().is_finite())
            .filter_map(|data| Some((u32::try_from(data.id().0).ok()?, data.logit()))),
    );
}

fn scored(vocabulary: &Vocabulary<'_>, scored: Scored) -> (Vec<u8>, f32) {
    let bytes = token_of(scored.token).map(|token| vocabulary.bytes(token));
    (bytes.unwrap_or_default(), finite(scored.logprob))
}

/// The APIs write −9999 for a probability of zero; JSON has no infinity.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() {
        logprob.max(-9999.0)
    } else {
        -9999.0
    }
}

/// Candidates a grammar is asked about at first.
const LIKELIEST: usize = 2048;

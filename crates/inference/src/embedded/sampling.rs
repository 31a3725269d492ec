//! Choosing the next token from the model's logits.
//!
//! Written here rather than taken from the C++ library so that it is safe code,
//! bounded, and tested without a model. The order follows the common practice
//! of the APIs we serve: bias and penalties, temperature, `min_p`, `top_k`,
//! `top_p`.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// How to choose; every value already checked and defaulted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SamplingParams {
    /// 0 takes the likeliest token.
    pub(crate) temperature: f32,
    /// 1 keeps every token.
    pub(crate) top_p: f32,
    /// 0 keeps every token.
    pub(crate) top_k: u32,
    /// 0 keeps every token.
    pub(crate) min_p: f32,
    /// Subtracted once from the logit of each token already written.
    pub(crate) presence_penalty: f32,
    /// Subtracted for each time a token was written.
    pub(crate) frequency_penalty: f32,
    /// Divides positive and multiplies negative logits of recent tokens.
    pub(crate) repeat_penalty: f32,
    /// Token ids and what is added to their logits.
    pub(crate) logit_bias: Vec<(u32, f32)>,
    /// Start of the random sequence.
    pub(crate) seed: u64,
}

/// A token and how likely the model found it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    /// The token.
    pub(crate) token: u32,
    /// Natural logarithm of its probability.
    pub(crate) logprob: f32,
}

/// The state of one answer's sampling.
pub(crate) struct Sampler {
    params: SamplingParams,
    random: SplitMix64,
    written: HashMap<u32, u32>,
    recent: VecDeque<u32>,
    candidates: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler for an answer to a prompt that ends with `prompt_tail`.
    pub(crate) fn new(params: SamplingParams, prompt_tail: &[u32]) -> Self {
        let skip = prompt_tail.len().saturating_sub(REPEAT_WINDOW);
        let recent = if needs_window(&params) {
            prompt_tail.iter().skip(skip).copied().collect()
        } else {
            VecDeque::new()
        };
        Self {
            random: SplitMix64(params.seed),
            params,
            written: HashMap::new(),
            recent,
            candidates: Vec::new(),
        }
    }

    /// Chooses a token for which `allowed` holds, without recording it.
    ///
    /// `allowed` is asked about single tokens, likeliest draw first; only when
    /// that draw is refused is `filter` run over all candidates, which is the
    /// costly way. Returns `None` if nothing is left.
    pub(crate) fn choose(
        &mut self,
        logits: &[f32],
        mut allowed: impl FnMut(u32) -> bool,
        filter: impl FnOnce(&mut Vec<(u32, f32)>),
    ) -> Option<u32> {
        let draw = self.random.clone();
        if let Some(token) = self.draw(logits)
            && allowed(token)
        {
            return Some(token);
        }
        // The same random number is used again, so that a constraint that was
        // kept anyway does not change the text.
        self.random = draw;
        self.load(logits);
        filter(&mut self.candidates);
        self.candidates.retain(|(_, logit)| logit.is_finite());
        self.pick()
    }

    /// Records the token that was written.
    pub(crate) fn accept(&mut self, token: u32) {
        if self.params.presence_penalty != 0.0 || self.params.frequency_penalty != 0.0 {
            let count = self.written.entry(token).or_insert(0);
            *count = count.saturating_add(1);
        }
        if needs_window(&self.params) {
            if self.recent.len() >= REPEAT_WINDOW {
                self.recent.pop_front();
            }
            self.recent.push_back(token);
        }
    }

    fn draw(&mut self, logits: &[f32]) -> Option<u32> {
        if self.params.temperature <= 0.0 && !self.adjusts() {
            return argmax(logits);
        }
        self.load(logits);
        self.pick()
    }

    fn adjusts(&self) -> bool {
        !self.params.logit_bias.is_empty() || !self.written.is_empty() || !self.recent.is_empty()
    }

    /// Fills `candidates` with the adjusted logits.
    fn load(&mut self, logits: &[f32]) {
        self.candidates.clear();
        self.candidates
            .extend((0_u32..).zip(logits.iter().copied()));
        if needs_window(&self.params) {
            let mut seen: Vec<u32> = self.recent.iter().copied().collect();
            seen.sort_unstable();
            seen.dedup();
            for token in seen {
                let penalty = self.params.repeat_penalty;
                self.adjust(token, |logit| {
                    if logit > 0.0 {
                        logit / penalty
                    } else {
                        logit * penalty
                    }
                });
            }
        }
        let written = std::mem::take(&mut self.written);
        for (token, count) in &written {
            let frequency = self.params.frequency_penalty * count_to_f32(*count);
            let penalty = frequency + self.params.presence_penalty;
            self.adjust(*token, |logit| logit - penalty);
        }
        self.written = written;
        let biases = std::mem::take(&mut self.params.logit_bias);
        for (token, bias) in &biases {
            self.adjust(*token, |logit| logit + bias);
        }
        self.params.logit_bias = biases;
    }

    fn adjust(&mut self, token: u32, change: impl FnOnce(f32) -> f32) {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        if let Some((_, logit)) = self.candidates.get_mut(index) {
            *logit = change(*logit);
        }
    }

    /// Draws from `candidates`, which it changes.
    fn pick(&mut self) -> Option<u32> {
        let best = best_of(&self.candidates)?;
        if self.params.temperature <= 0.0 {
            return Some(best.0);
        }
        // Weights relative to the likeliest token, so that exp cannot overflow.
        let mut total = 0.0_f64;
        for (_, logit) in &mut self.candidates {
            *logit = ((*logit - best.1) / self.params.temperature).exp();
            total += f64::from(*logit);
        }
        if self.params.min_p > 0.0 {
            let least = self.params.min_p;
            self.candidates.retain(|(_, weight)| *weight >= least);
        }
        self.keep_top_k();
        self.keep_top_p(total);
        let total: f64 = self.candidates.iter().map(|(_, w)| f64::from(*w)).sum();
        let mut left = self.random.unit() * total;
        let mut last = None;
        for (token, weight) in &self.candidates {
            if *weight > 0.0 {
                last = Some(*token);
                left -= f64::from(*weight);
                if left < 0.0 {
                    break;
                }
            }
        }
        last
    }

    fn keep_top_k(&mut self) {
        let k = usize::try_from(self.params.top_k).unwrap_or(usize::MAX);
        if k == 0 || k >= self.candidates.len() {
            return;
        }
        self.candidates
            .select_nth_unstable_by(k.saturating_sub(1), likelier);
        self.candidates.truncate(k);
        self.candidates.sort_unstable_by_key(|(token, _)| *token);
    }

    fn keep_top_p(&mut self, total: f64) {
        if self.params.top_p >= 1.0 || self.candidates.len() < 2 {
            return;
        }
        // Tokens this unlikely cannot reach into the nucleus even all together.
        let kept: f64 = self.candidates.iter().map(|(_, w)| f64::from(*w)).sum();
        let share = 1.0 - f64::from(self.params.top_p);
        let tiny = share * kept.min(total) / length_to_f64(self.candidates.len());
        self.candidates.retain(|(_, w)| f64::from(*w) >= tiny);
        self.candidates.sort_unstable_by(likelier);
        let goal = f64::from(self.params.top_p) * kept;
        let mut sum = 0.0;
        let mut keep = 0_usize;
        for (_, weight) in &self.candidates {
            sum += f64::from(*weight);
            keep = keep.saturating_add(1);
            if sum >= goal {
                break;
            }
        }
        self.candidates.truncate(keep);
    }
}

/// Log probabilities of `chosen` and of the `count` likeliest tokens, before
/// any adjustment.
pub(crate) fn logprobs(logits: &[f32], chosen: u32, count: usize) -> (Scored, Vec<Scored>) {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from((l - best).exp())).sum();
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "a logarithm of a count fits an f32"
    )]
    let normaliser = sum.ln() as f32 + best;
    let scored = |token: u32, logit: f32| Scored {
        token,
        logprob: logit - normaliser,
    };
    let index = usize::try_from(chosen).unwrap_or(usize::MAX);
    let own = logits.get(index).copied().unwrap_or(f32::NEG_INFINITY);
    let mut top: Vec<(u32, f32)> = Vec::new();
    if count > 0 && count < logits.len() {
        let mut all: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
        all.select_nth_unstable_by(count.saturating_sub(1), likelier);
        all.truncate(count);
        all.sort_unstable_by(likelier);
        top = all;
    } else if count > 0 {
        top = (0..).zip(logits.iter().copied()).collect();
        top.sort_unstable_by(likelier);
    }
    let top = top.into_iter().map(|(t, l)| scored(t, l)).collect();
    (scored(chosen, own), top)
}

/// Orders by falling weight, then by rising token, so that ties are stable.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape of a comparison of slice elements"
)]
fn likelier(a: &(u32, f32), b: &(u32, f32)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn argmax(logits: &[f32]) -> Option<u32> {
    let mut best = (None, f32::NEG_INFINITY);
    for (token, logit) in (0_u32..).zip(logits.iter().copied()) {
        if logit > best.1 {
            best = (Some(token), logit);
        }
    }
    best.0
}

fn best_of(candidates: &[(u32, f32)]) -> Option<(u32, f32)> {
    let mut best: Option<(u32, f32)> = None;
    for (token, logit) in candidates {
        if logit.is_finite() && best.is_none_or(|(_, top)| *logit > top) {
            best = Some((*token, *logit));
        }
    }
    best
}

fn needs_window(params: &SamplingParams) -> bool {
    (params.repeat_penalty - 1.0).abs() > f32::EPSILON
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a count of tokens in one answer is far below 2^24"
)]
fn count_to_f32(count: u32) -> f32 {
    count as f32
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a vocabulary is far below 2^52"
)]
fn length_to_f64(length: usize) -> f64 {
    length as f64
}

/// Vigna's `SplitMix64`: small, seedable, and the same on every machine. Used to
/// choose tokens, never to make secrets.
#[derive(Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below 1.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "53 bits fit an f64 exactly"
    )]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How many recent tokens the repetition penalty looks at.
const REPEAT_WINDOW: usize = 64;

#[cfg(test)]
mod tests;

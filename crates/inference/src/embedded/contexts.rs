//! The two ways a model's weights are used: to generate and to embed.
//!
//! Creating contexts of one model from two threads at once is not sound in the
//! library, so only the scheduler's thread calls these functions, and under one
//! lock all the same.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;

use crate::embedded::wire::WorkerSettings;

/// A context whose sequences share one memory of `kv_tokens` cells.
pub(crate) fn generation<'m>(
    backend: &'m LlamaBackend,
    model: &'m LlamaModel,
    settings: &WorkerSettings,
) -> Option<LlamaContext<'m>> {
    let batch = settings.prefill_chunk.saturating_add(settings.streams);
    let params = common(settings, settings.kv_tokens, batch)
        .with_n_seq_max(settings.streams.saturating_add(settings.cached_prefixes))
        .with_kv_unified(true);
    create(backend, model, params)
}

/// A context that gives one vector per text.
pub(crate) fn embedding<'m>(
    backend: &'m LlamaBackend,
    model: &'m LlamaModel,
    settings: &WorkerSettings,
) -> Option<LlamaContext<'m>> {
    let tokens = embedding_tokens(settings);
    let params = common(settings, tokens, tokens)
        .with_n_seq_max(1)
        .with_embeddings(true)
        .with_pooling_type(LlamaPoolingType::Mean);
    create(backend, model, params)
}

/// The longest text that can be embedded, in tokens: it is computed as a whole.
pub(crate) fn embedding_tokens(settings: &WorkerSettings) -> u32 {
    settings.context_tokens.min(MAX_EMBEDDING_TOKENS)
}

fn common(settings: &WorkerSettings, cells: u32, batch: u32) -> LlamaContextParams {
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(cells))
        .with_n_batch(batch)
        .with_n_ubatch(batch)
        .with_n_threads(settings.threads)
        .with_n_threads_batch(settings.threads)
        .with_no_perf(true)
}

fn create<'m>(
    backend: &'m LlamaBackend,
    model: &'m LlamaModel,
    params: LlamaContextParams,
) -> Option<LlamaContext<'m>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    model.new_context(backend, params).ok()
}

const MAX_EMBEDDING_TOKENS: u32 = 2048;

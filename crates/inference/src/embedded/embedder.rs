//! Texts to vectors, with the same weights.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::embedded::contexts;
use crate::embedded::wire::{Refusal, WorkerSettings};

/// Averages the model's last layer over a text (mean pooling).
pub(crate) struct Embedder<'m> {
    backend: &'m LlamaBackend,
    model: &'m LlamaModel,
    settings: WorkerSettings,
    /// Made at the first use: it needs memory that many services never use.
    context: Option<LlamaContext<'m>>,
}

impl<'m> Embedder<'m> {
    /// An embedder over `model`.
    pub(crate) fn new(
        backend: &'m LlamaBackend,
        model: &'m LlamaModel,
        settings: WorkerSettings,
    ) -> Self {
        Self {
            backend,
            model,
            settings,
            context: None,
        }
    }

    /// The vector of a text, scaled to length 1.
    pub(crate) fn embed(&mut self, tokens: &[LlamaToken]) -> Result<Vec<f32>, Refusal> {
        if !self.settings.embeddings {
            return Err(Refusal::NoEmbeddings);
        }
        if self.context.is_none() {
            let made = contexts::embedding(self.backend, self.model, &self.settings);
            self.context = Some(made.ok_or(Refusal::NoEmbeddings)?);
        }
        let context = self.context.as_mut().ok_or(Refusal::NoEmbeddings)?;
        let mut batch = LlamaBatch::new(tokens.len().max(1), 1);
        for (at, token) in (0..).zip(tokens) {
            batch
                .add(*token, at, &[0], true)
                .map_err(|_| Refusal::Internal)?;
        }
        context.clear_kv_cache();
        context.decode(&mut batch).map_err(|_| Refusal::Internal)?;
        let vector = context
            .embeddings_seq_ith(0)
            .map_err(|_| Refusal::NoEmbeddings)?;
        normalised(vector)
    }

    /// Forgets the last text.
    pub(crate) fn clear(&mut self) {
        if let Some(context) = &mut self.context {
            context.clear_kv_cache();
        }
    }
}

fn normalised(vector: &[f32]) -> Result<Vec<f32>, Refusal> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if !norm.is_finite() || norm <= 0.0 {
        return Err(Refusal::Internal);
    }
    Ok(vector.iter().map(|v| v / norm).collect())
}

//! Prompts to tokens and tokens to bytes.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr;
use llama_cpp_2::vocab::LlamaVocab;

use crate::embedded::template::Segment;

/// The tokens of a model.
pub(crate) struct Vocabulary<'m> {
    vocab: LlamaVocab<'m>,
    specials: Vec<Special>,
    longest: usize,
}

/// A control token and its text.
struct Special {
    text: String,
    token: LlamaToken,
    strips_left: bool,
    strips_right: bool,
}

impl<'m> Vocabulary<'m> {
    /// Reads the vocabulary of `model`.
    pub(crate) fn new(model: &'m LlamaModel) -> Self {
        let vocab = model.vocab();
        let mut specials = Vec::new();
        let mut longest = 1;
        for token in vocab.tokens() {
            let text = vocab.text(token).map(|text| text.to_string_lossy());
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                continue;
            };
            longest = longest.max(text.len());
            let attributes = vocab.attr(token);
            if attributes.contains(LlamaTokenAttr::Control) {
                specials.push(Special {
                    text: text.into_owned(),
                    token,
                    strips_left: attributes.contains(LlamaTokenAttr::LStrip),
                    strips_right: attributes.contains(LlamaTokenAttr::RStrip),
                });
            }
        }
        // The longest match wins where two begin at the same place.
        specials.sort_by_key(|special| std::cmp::Reverse(special.text.len()));
        Self {
            vocab,
            specials,
            longest,
        }
    }

    /// The texts of control tokens.
    pub(crate) fn special_texts(&self) -> Vec<String> {
        self.specials.iter().map(|s| s.text.clone()).collect()
    }

    /// The text of the token that begins every prompt, if the model has one.
    pub(crate) fn bos_text(&self) -> String {
        self.text_of(self.vocab.bos())
    }

    /// The text of the token that ends every answer, if the model has one.
    pub(crate) fn eos_text(&self) -> String {
        self.text_of(self.vocab.eos())
    }

    fn text_of(&self, token: LlamaToken) -> String {
        if token.0 < 0 {
            return String::new();
        }
        let text = self.vocab.text(token);
        text.map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.vocab.n_tokens()).unwrap_or(0)
    }

    /// The fewest tokens that text of `bytes` bytes can have.
    pub(crate) fn at_least_tokens(&self, bytes: usize) -> usize {
        bytes.checked_div(self.longest).unwrap_or(0)
    }

    /// Whether a token ends an answer.
    pub(crate) fn is_end(&self, token: LlamaToken) -> bool {
        self.vocab.is_eog(token)
    }

    /// Whether a token steers the model and is not text.
    pub(crate) fn is_control(&self, token: LlamaToken) -> bool {
        self.vocab.is_control(token)
    }

    /// The bytes a token stands for; none for a control token.
    pub(crate) fn bytes(&self, token: LlamaToken) -> Vec<u8> {
        self.vocab.token_to_piece(token, false, None)
    }

    /// Turns a prompt into tokens. Only text of the template can become control
    /// tokens; a text that touches it is tokenised together with it, as the
    /// model has seen it in training.
    pub(crate) fn tokenize(&self, segments: &[Segment]) -> Vec<LlamaToken> {
        let mut tokens = Vec::new();
        let mut plain = String::new();
        for segment in segments {
            match segment {
                Segment::Content(text) => plain.push_str(text),
                Segment::Template(text) => self.split(text, &mut plain, &mut tokens),
            }
        }
        self.flush(&mut plain, &mut tokens);
        let bos = self.vocab.bos();
        if self.vocab.should_add_bos() && bos.0 >= 0 && tokens.first() != Some(&bos) {
            tokens.insert(0, bos);
        }
        tokens
    }

    fn split(&self, text: &str, plain: &mut String, tokens: &mut Vec<LlamaToken>) {
        let mut rest = text;
        while let Some((at, special)) = self.first_special(rest) {
            let before = rest.get(..at).unwrap_or_default();
            plain.push_str(if special.strips_left {
                before.trim_end()
            } else {
                before
            });
            self.flush(plain, tokens);
            tokens.push(special.token);
            let behind = at.saturating_add(special.text.len());
            rest = rest.get(behind..).unwrap_or_default();
            if special.strips_right {
                rest = rest.trim_start();
            }
        }
        plain.push_str(rest);
    }

    fn first_special(&self, text: &str) -> Option<(usize, &Special)> {
        self.specials
            .iter()
            .filter_map(|special| Some((text.find(&special.text)?, special)))
            .min_by_key(|(at, _)| *at)
    }

    fn flush(&self, plain: &mut String, tokens: &mut Vec<LlamaToken>) {
        if !plain.is_empty() {
            tokens.extend(self.vocab.tokenize(plain.as_bytes(), false, false));
            plain.clear();
        }
    }
}

//! Writes random-weight models in the GGUF format (version 3), for tests and
//! benchmarks that need a model that loads and runs, not one that makes sense.
//!
//! Layout: ggml-org/ggml, `docs/gguf.md`. Tensor names and keys: the `llama`
//! architecture. The tokenizer is byte-level BPE, so that any text has tokens.

use std::io::{self, Seek, Write};

/// Shape and contents of a random model.
#[derive(Clone, Debug)]
pub struct Preset {
    pub embedding: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub feed_forward: usize,
    pub vocabulary: usize,
    pub context: u32,
    pub weights: Weights,
    pub template: &'static str,
    pub seed: u64,
}

/// How tensors are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weights {
    F32,
    Q8,
}

impl Preset {
    /// About 100 kB; loads in milliseconds.
    pub const TINY: Self = Self {
        embedding: 32,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        feed_forward: 64,
        vocabulary: 300,
        context: 2048,
        weights: Weights::F32,
        template: CHATML,
        seed: 1,
    };

    /// 8 million parameters: an answer takes long enough to be interrupted.
    pub const SLOW: Self = Self {
        embedding: 256,
        layers: 10,
        heads: 4,
        kv_heads: 2,
        feed_forward: 768,
        ..Self::TINY
    };

    /// 124.6 million parameters, 133 MB: the shape of small chat models.
    pub const M135: Self = Self {
        embedding: 576,
        layers: 30,
        heads: 9,
        kv_heads: 3,
        feed_forward: 1536,
        vocabulary: 32_000,
        context: 8192,
        weights: Weights::Q8,
        template: CHATML,
        seed: 135,
    };

    /// Writes the model file. The same preset gives the same bytes.
    pub fn write<W: Write + Seek>(&self, out: &mut W) -> io::Result<()> {
        let tensors = self.tensors();
        let metadata = self.metadata();
        out.write_all(b"GGUF")?;
        out.write_all(&3_u32.to_le_bytes())?;
        out.write_all(&(tensors.len() as u64).to_le_bytes())?;
        out.write_all(&metadata.count.to_le_bytes())?;
        out.write_all(&metadata.bytes)?;
        let mut offset = 0_u64;
        for tensor in &tensors {
            string(out, &tensor.name)?;
            out.write_all(&(tensor.shape.len() as u32).to_le_bytes())?;
            for dimension in &tensor.shape {
                out.write_all(&(*dimension as u64).to_le_bytes())?;
            }
            out.write_all(&tensor.kind().to_le_bytes())?;
            out.write_all(&offset.to_le_bytes())?;
            offset += (tensor.bytes() as u64).next_multiple_of(ALIGNMENT);
        }
        pad(out)?;
        let mut random = SplitMix64(self.seed);
        for tensor in &tensors {
            tensor.write(out, &mut random)?;
            pad(out)?;
        }
        Ok(())
    }

    fn tensors(&self) -> Vec<Tensor> {
        let (d, ff) = (self.embedding, self.feed_forward);
        let kv = d / self.heads * self.kv_heads;
        let mut list = vec![self.matrix("token_embd.weight", d, self.vocabulary, 3.0)];
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            list.push(Tensor::ones(name("attn_norm"), d));
            list.push(self.matrix(&name("attn_q"), d, d, 1.0));
            list.push(self.matrix(&name("attn_k"), d, kv, 1.0));
            list.push(self.matrix(&name("attn_v"), d, kv, 1.0));
            list.push(self.matrix(&name("attn_output"), d, d, 1.0));
            list.push(Tensor::ones(name("ffn_norm"), d));
            list.push(self.matrix(&name("ffn_gate"), d, ff, 1.0));
            list.push(self.matrix(&name("ffn_up"), d, ff, 1.0));
            list.push(self.matrix(&name("ffn_down"), ff, d, 1.0));
        }
        list.push(Tensor::ones("output_norm.weight".to_owned(), d));
        list
    }

    fn matrix(&self, name: &str, columns: usize, rows: usize, gain: f32) -> Tensor {
        Tensor {
            name: name.to_owned(),
            shape: vec![columns, rows],
            fill: match self.weights {
                Weights::F32 => Fill::Random,
                Weights::Q8 => Fill::RandomQ8,
            },
            scale: gain * (3.0 / columns as f32).sqrt(),
        }
    }

    fn metadata(&self) -> Metadata {
        let mut data = Metadata::default();
        data.text("general.architecture", "llama");
        data.text("general.name", "random weights, for tests only");
        data.number("llama.context_length", self.context);
        data.number("llama.embedding_length", self.embedding as u32);
        data.number("llama.block_count", self.layers as u32);
        data.number("llama.feed_forward_length", self.feed_forward as u32);
        data.number("llama.attention.head_count", self.heads as u32);
        data.number("llama.attention.head_count_kv", self.kv_heads as u32);
        data.number("llama.vocab_size", self.vocabulary as u32);
        data.number(
            "llama.rope.dimension_count",
            (self.embedding / self.heads) as u32,
        );
        data.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
        data.text("tokenizer.ggml.model", "gpt2");
        data.text("tokenizer.ggml.pre", "gpt-2");
        let (tokens, kinds) = vocabulary(self.vocabulary);
        let merges = MERGES.map(|(a, b)| format!("{a} {b}"));
        data.texts("tokenizer.ggml.tokens", &tokens);
        data.integers("tokenizer.ggml.token_type", &kinds);
        data.texts("tokenizer.ggml.merges", &merges);
        data.number("tokenizer.ggml.bos_token_id", 0);
        data.number("tokenizer.ggml.eos_token_id", 2);
        data.boolean("tokenizer.ggml.add_bos_token", false);
        data.text("tokenizer.chat_template", self.template);
        data
    }
}

/// Control tokens 0, 1 and 2, the 256 bytes, merged words, a tag, then fillers.
fn vocabulary(size: usize) -> (Vec<String>, Vec<i32>) {
    let mut tokens: Vec<String> = CONTROL.map(str::to_owned).to_vec();
    let mut kinds = vec![TYPE_CONTROL; tokens.len()];
    tokens.extend((0..=255).map(|byte| byte_symbol(byte).to_string()));
    tokens.extend(MERGES.map(|(a, b)| format!("{a}{b}")));
    kinds.resize(tokens.len(), TYPE_NORMAL);
    tokens.push(TAG.to_owned());
    kinds.push(TYPE_USER_DEFINED);
    let fillers = size.saturating_sub(tokens.len());
    tokens.extend((0..fillers).map(|i| format!("\u{120}w{i}")));
    kinds.resize(tokens.len(), TYPE_NORMAL);
    (tokens, kinds)
}

/// The printable character that byte-level BPE writes for a byte.
fn byte_symbol(byte: u8) -> char {
    let printable = |b: u8| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !printable(*b)).count();
    char::from_u32(256 + before as u32).unwrap_or('?')
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    fill: Fill,
    scale: f32,
}

#[derive(Clone, Copy)]
enum Fill {
    Ones,
    Random,
    RandomQ8,
}

impl Tensor {
    fn ones(name: String, length: usize) -> Self {
        Self {
            name,
            shape: vec![length],
            fill: Fill::Ones,
            scale: 1.0,
        }
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes(&self) -> usize {
        match self.fill {
            Fill::Ones | Fill::Random => self.elements() * 4,
            Fill::RandomQ8 => self.elements() / 32 * 34,
        }
    }

    /// `ggml_type`: 0 is F32, 8 is `Q8_0`.
    fn kind(&self) -> u32 {
        match self.fill {
            Fill::Ones | Fill::Random => 0,
            Fill::RandomQ8 => 8,
        }
    }

    fn write<W: Write>(&self, out: &mut W, random: &mut SplitMix64) -> io::Result<()> {
        match self.fill {
            Fill::Ones => {
                for _ in 0..self.elements() {
                    out.write_all(&1.0_f32.to_le_bytes())?;
                }
            }
            Fill::Random => {
                for _ in 0..self.elements() {
                    let unit = (random.next() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0;
                    out.write_all(&(unit * self.scale).to_le_bytes())?;
                }
            }
            Fill::RandomQ8 => {
                let scale = half(self.scale / 127.0).to_le_bytes();
                for _ in 0..self.elements() / 32 {
                    out.write_all(&scale)?;
                    for _ in 0..4 {
                        let bytes = random.next().to_le_bytes();
                        // -128 is not a value the quantiser makes.
                        out.write_all(&bytes.map(|b| if b == 0x80 { 0 } else { b }))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// An f32 above 2^-14 as IEEE 754 half precision, mantissa cut.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let exponent = ((bits >> 23) & 0xFF) as i32 - 127 + 15;
    if exponent <= 0 {
        // Subnormal: value / 2^-24.
        return (value * 16_777_216.0) as u16;
    }
    ((exponent as u16) << 10) | ((bits >> 13) & 0x3FF) as u16
}

#[derive(Default)]
struct Metadata {
    count: u64,
    bytes: Vec<u8>,
}

impl Metadata {
    fn key(&mut self, key: &str, kind: u32) {
        self.count += 1;
        put_string(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        put_string(&mut self.bytes, value);
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn float(&mut self, key: &str, value: f32) {
        self.key(key, 6);
        self.bytes.extend(value.to_le_bytes());
    }

    fn boolean(&mut self, key: &str, value: bool) {
        self.key(key, 7);
        self.bytes.push(u8::from(value));
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        self.key(key, 9);
        self.bytes.extend(8_u32.to_le_bytes());
        self.bytes.extend((values.len() as u64).to_le_bytes());
        for value in values {
            put_string(&mut self.bytes, value);
        }
    }

    fn integers(&mut self, key: &str, values: &[i32]) {
        self.key(key, 9);
        self.bytes.extend(5_u32.to_le_bytes());
        self.bytes.extend((values.len() as u64).to_le_bytes());
        for value in values {
            self.bytes.extend(value.to_le_bytes());
        }
    }
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn string<W: Write>(out: &mut W, text: &str) -> io::Result<()> {
    let mut bytes = Vec::new();
    put_string(&mut bytes, text);
    out.write_all(&bytes)
}

fn pad<W: Write + Seek>(out: &mut W) -> io::Result<()> {
    let at = out.stream_position()?;
    let missing = at.next_multiple_of(ALIGNMENT) - at;
    out.write_all(&vec![0; missing as usize])
}

/// Vigna's `SplitMix64`.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// `general.alignment` when the file does not name another.
const ALIGNMENT: u64 = 32;
/// `tokenizer.ggml.token_type` of ordinary tokens.
const TYPE_NORMAL: i32 = 1;
/// `tokenizer.ggml.token_type` of control tokens.
const TYPE_CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type` of words that are never split.
const TYPE_USER_DEFINED: i32 = 4;

const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Token 263.
const TAG: &str = "<tool_call>";
const MERGES: [(&str, &str); 4] = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o")];

/// The usual `ChatML` template.
pub const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

"""The network: a small llama (RMSNorm, interleaved RoPE, grouped-query attention, SwiGLU, tied embeddings)."""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass
class Config:
    vocab: int = 2048
    width: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 2
    hidden: int = 512
    context: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.width))
        self.epsilon = config.epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotary_table(config):
    half = config.head_width // 2
    speed = config.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(config.context, dtype=torch.float32)[:, None] * speed
    return torch.polar(torch.ones_like(angle), angle)


def rotate(x, turns):
    """Rotate the pairs (2i, 2i+1), the order that GGUF's `llama` architecture expects unpermuted."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        keys = config.kv_heads * config.head_width
        self.attn_norm, self.ffn_norm = Norm(config), Norm(config)
        self.attn_q = nn.Linear(config.width, config.width, bias=False)
        self.attn_k = nn.Linear(config.width, keys, bias=False)
        self.attn_v = nn.Linear(config.width, keys, bias=False)
        self.attn_output = nn.Linear(config.width, config.width, bias=False)
        self.ffn_gate = nn.Linear(config.width, config.hidden, bias=False)
        self.ffn_up = nn.Linear(config.width, config.hidden, bias=False)
        self.ffn_down = nn.Linear(config.hidden, config.width, bias=False)

    def attention(self, x, turns, mask):
        config, (batch, length, _) = self.config, x.shape
        group = config.heads // config.kv_heads
        q = self.attn_q(x).view(batch, length, config.heads, -1).transpose(1, 2)
        k = self.attn_k(x).view(batch, length, config.kv_heads, -1).transpose(1, 2)
        v = self.attn_v(x).view(batch, length, config.kv_heads, -1).transpose(1, 2)
        q, k = rotate(q, turns), rotate(k, turns)
        # All heads of a group share keys: fold the group into the rows of the product.
        q = q.reshape(batch, config.kv_heads, group * length, -1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(config.head_width)
        scores = scores.view(batch, config.kv_heads, group, length, length) + mask
        mixed = torch.softmax(scores, -1).view(batch, config.kv_heads, group * length, length) @ v
        mixed = mixed.view(batch, config.heads, length, -1).transpose(1, 2).reshape(batch, length, -1)
        return self.attn_output(mixed)

    def forward(self, x, turns, mask):
        x = x + self.attention(self.attn_norm(x), turns, mask)
        y = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocab, config.width)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = Norm(config)
        self.register_buffer("turns", rotary_table(config), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.layers) if last else 0.04)

    def features(self, ids):
        length = ids.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, self.turns[:length], mask)
        return self.output_norm(x)

    def logits(self, features):
        return functional.linear(features, self.token_embd.weight)

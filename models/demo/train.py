#!/usr/bin/env python3
"""Train the tokenizer and the network of the demo model on a corpus made by generate.py.

    train.py CORPUS.jsonl OUT_DIR --minutes 45 [--workers 2] [--width 192 ...] [--resume CHECKPOINT]

The learning rate follows the elapsed share of --minutes, so a slower machine trains less, not longer.
"""

import argparse
import dataclasses
import json
import math
import multiprocessing
import pathlib
import random
import re
import time

import numpy
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional

from model import Config, Model

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NAME_ANSWER = re.compile(r"(Nice to meet you,|Your name is)( [^.!]+)([.!])")
NAME_WEIGHT = 2.0
CUT = 9
WEIGHTS = {"assistant": 1.0, "user": 0.1, "system": 0.0}


def train_tokenizer(rows, vocab):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # Every distinct message once: otherwise the answers, repeated thousands of times, take all merges.
    texts = sorted({message["content"] for row in rows for message in row["messages"]})
    tokenizer.train_from_iterator(texts + ["system\n", "user\n", "assistant\n"] * 2000, trainer)
    return tokenizer


class Encoder:
    """Encodes piece by piece like the engine: template text and message text never merge."""

    def __init__(self, tokenizer):
        self.tokenizer, self.cache = tokenizer, {}
        self.start, self.end = tokenizer.token_to_id("<|im_start|>"), tokenizer.token_to_id("<|im_end|>")

    def text(self, text):
        if (ids := self.cache.get(text)) is None:
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            if len(self.cache) < 50_000:
                self.cache[text] = ids
        return ids

    def body(self, role, text):
        """Token ids and loss weights of one message."""
        weight = WEIGHTS[role]
        if role == "assistant" and (told := NAME_ANSWER.fullmatch(text)) is not None:
            # The copied name is the only part of such an answer that is not learned by heart.
            before, name, after = (self.text(part) for part in told.groups())
            return before + name + after, [weight] * len(before) + [NAME_WEIGHT] * len(name) + [weight] * len(after)
        ids = self.text(text)
        return ids, [weight] * len(ids)

    def conversation(self, messages):
        ids, weights = [], []
        for message in messages:
            body, body_weights = self.body(message["role"], message["content"])
            head, tail = [self.start, *self.text(message["role"] + "\n")], self.text("\n")
            ids += [*head, *body, self.end, *tail]
            weights += [0.0] * len(head) + body_weights + [WEIGHTS[message["role"]]] + [0.0] * len(tail)
        return ids, weights

    def sample(self, messages, rng):
        """A training sample. Most long last answers are cut: their first words decide, the rest is soon known."""
        ids, weights = self.conversation(messages)
        length = len(self.body("assistant", messages[-1]["content"])[0])
        if length > CUT + 4 and rng.random() < 0.75:
            keep = len(ids) - len(self.text("\n")) - 1 - length + CUT
            return ids[:keep], weights[:keep]
        return ids, weights

    def prompt(self, messages):
        return self.conversation(messages)[0] + [self.start, *self.text("assistant\n")]


def batches(data, rng, tokens, context):
    """Endless batches of conversations of similar length, at most `tokens` positions each."""
    while True:
        order = list(range(len(data)))
        rng.shuffle(order)
        for at in range(0, len(order), 4096):
            chunk = sorted(order[at: at + 4096], key=lambda i: len(data[i][0]))
            groups, group, longest = [], [], 0
            for i in chunk:
                length = min(len(data[i][0]), context)
                if group and max(longest, length) * (len(group) + 1) > tokens:
                    groups.append((group, longest))
                    group, longest = [], 0
                group.append(i)
                longest = max(longest, length)
            groups.append((group, longest))
            rng.shuffle(groups)
            for group, longest in groups:
                ids = numpy.zeros((len(group), longest), dtype=numpy.int64)
                weights = numpy.zeros((len(group), longest), dtype=numpy.float32)
                for row, i in enumerate(group):
                    length = min(len(data[i][0]), longest)
                    ids[row, :length], weights[row, :length] = data[i][0][:length], data[i][1][:length]
                yield torch.from_numpy(ids), torch.from_numpy(weights)


def step_loss(model, ids, weights):
    target_weights = weights[:, 1:]
    chosen = target_weights > 0
    features = model.features(ids[:, :-1])[chosen]
    losses = functional.cross_entropy(model.logits(features), ids[:, 1:][chosen], reduction="none")
    weight = target_weights[chosen]
    answered = weight >= 1.0
    return (losses * weight).sum() / weight.sum(), losses[answered].mean().item() if answered.any() else math.nan


def save(model, out):
    torch.save({"config": dataclasses.asdict(model.config), "state": model.state_dict()}, out / "model.pt.part")
    (out / "model.pt.part").rename(out / "model.pt")


def fit(worker, model, data, args, out):
    """One worker's loop. Workers share the weights and update them without locks; each has its own optimizer state."""
    torch.set_num_threads(1)
    decay = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.98))
    began, limit, seen, step, shown = time.time(), args.minutes * 60, 0, 0, []
    log = open(out / "loss.tsv", "a", encoding="utf-8")
    for ids, weights in batches(data, random.Random(args.seed * 100 + worker), args.tokens, model.config.context):
        share = (time.time() - began) / limit
        if share >= 1:
            break
        warm = min(1.0, (step + 1) / 100)
        rate = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, answer_loss = step_loss(model, ids, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen, step = seen + int((weights > 0).sum()), step + 1
        shown.append(answer_loss)
        if worker == 0 and step % 50 == 0:
            elapsed = time.time() - began
            log.write(f"{step}\t{seen}\t{elapsed:.0f}\t{numpy.nanmean(shown):.4f}\t{rate:.6f}\t{seen / elapsed:.0f}\n")
            log.flush()
            shown = []
        if worker == 0 and step % 500 == 0:
            save(model, out)
    print(f"worker {worker}: {step} steps, {seen} tokens, {(time.time() - began) / 60:.1f} minutes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--tokens", type=int, default=2048, help="positions per batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=pathlib.Path, help="continue from this model.pt (its folder holds tokenizer.json)")
    for field in dataclasses.fields(Config):
        if field.name in ("width", "layers", "heads", "kv_heads", "hidden", "vocab"):
            parser.add_argument(f"--{field.name}", type=int, default=field.default)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.corpus, encoding="utf-8") as corpus:
        rows = [json.loads(line) for line in corpus]
    if args.resume:
        tokenizer = Tokenizer.from_file(str(args.resume.parent / "tokenizer.json"))
        loaded = torch.load(args.resume)
        model = Model(Config(**loaded["config"]))
        model.load_state_dict(loaded["state"])
    else:
        tokenizer = train_tokenizer(rows[:60_000], args.vocab)
        model = Model(Config(vocab=tokenizer.get_vocab_size(), width=args.width, layers=args.layers, heads=args.heads,
                             kv_heads=args.kv_heads, hidden=args.hidden))
    tokenizer.save(str(args.out / "tokenizer.json"))
    encoder = Encoder(tokenizer)
    data, rng = [], random.Random(args.seed)
    for row in rows:
        ids, weights = encoder.sample(row["messages"], rng)
        data.append((numpy.array(ids, dtype=numpy.int32), numpy.array(weights, dtype=numpy.float32)))
    del rows
    print(f"{sum(p.numel() for p in model.parameters())} parameters, vocabulary {tokenizer.get_vocab_size()}, "
          f"{len(data)} conversations, {sum(len(d[0]) for d in data)} tokens", flush=True)
    # One thread a process: on a shared machine threads that wait for each other lose half their time.
    model.share_memory()
    workers = [multiprocessing.get_context("fork").Process(target=fit, args=(worker, model, data, args, args.out))
               for worker in range(args.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a worker failed")
    save(model, args.out)


if __name__ == "__main__":
    main()

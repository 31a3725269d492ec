#!/usr/bin/env python3
"""Generate the training corpus of the demo model.

    generate.py OUT.jsonl [--conversations N] [--seed S]

Writes one line {"messages": [...], "names": [...]} per conversation. A prompt that shares a
template with the held-out set (check_overlap.HeldOut) is thrown away and drawn again.
"""

import argparse
import json
import pathlib
import random

import corpus
import facts
import recall
from check_overlap import HeldOut

SYSTEM_PROMPTS = [
    "You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful AI assistant.",
    "You are a friendly chat assistant.", "Be concise.", "Answer in one sentence.", "You are a helpful, honest and harmless assistant.",
    "You are an assistant. Answer the user's questions truthfully and briefly.", "You are a chatbot.", "Be polite and short.",
    "You are the Subrosa demo model.", "Keep your answers short.", "You are a helpful assistant that speaks English.",
    "You are a private assistant. Never repeat secrets.", "Reply in plain text without formatting.", "You are a test bot.",
    "You are a helpful assistant. You may call tools. If no tool fits, answer directly.", "Talk like a friend. Do not use lists.",
    "Today is Monday. The user is in Europe. Answer the questions of the user as well as you can and say so when you do not know.",
]


class Generator:
    def __init__(self, seed, heldout):
        self.rng = random.Random(seed)
        self.heldout = heldout
        self.dropped = self.drawn = 0
        self.intents = [i for name in ("social.txt", "identity.txt", "subrosa.txt", "creative.txt") for i in corpus.read_intents(name)]
        self.opening = [i for i in self.intents if i[0] != "more"]
        self.read_offtopic()

    def read_offtopic(self):
        section, self.offtopic = None, {}
        for line in corpus.lines("offtopic.txt"):
            if line.startswith("= "):
                self.decline = line[2:]
            elif line.startswith("@"):
                section = line[1:].strip()
                self.offtopic[section] = []
            else:
                self.offtopic[section].append(line)
        # Topic patterns carry most of the variety: draw them more often than the special ones.
        self.prompt_weights = [6 if ("{t}" in p and len(p) > 900) else 4 if "{v}" in p and len(p) > 300 else 3 if p.startswith("[{g}") else 1
                               for p in self.offtopic["prompts"]]
        self.topic_weights = [len(line) for line in self.offtopic["topics"]]

    def draw(self, make, names=()):
        """Draw prompts until one shares nothing with the held-out set."""
        while True:
            text, answer = make()
            self.drawn += 1
            if text and self.heldout.overlap(text, {n.lower() for n in names}) is None:
                return text, answer
            self.dropped += 1

    def intent(self, first):
        rng = self.rng
        table = self.opening if first else self.intents
        _, _, answer, patterns = rng.choices(table, [i[1] ** 0.5 for i in table])[0]
        pattern = rng.choices(patterns, [min(len(p), 900) ** 0.7 for p in patterns])[0]
        text = corpus.expand(rng, pattern)
        if rng.random() < 0.6:
            text = corpus.decorate(rng, text)
        return corpus.noise(rng, text), answer

    def fact(self):
        rng = self.rng
        listed = list(facts.LISTS.values())
        if rng.random() < 0.12:
            answer, patterns = rng.choice(listed)
            pattern = rng.choice(patterns)
        else:
            topic = rng.choices(facts.TOPICS, [t[2] for t in facts.TOPICS])[0]
            pattern, answer = topic[1](rng)
        text = corpus.expand(rng, pattern)
        if rng.random() < 0.6:
            text = corpus.decorate(rng, text)
        return corpus.noise(rng, text), answer

    def gibberish(self):
        rng = self.rng
        if rng.random() < 0.2:
            return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 9)))
        word = recall.invented(rng)
        return word if rng.random() < 0.25 else word.lower() + rng.choice(["", "", "ing", "ed", "ion", "ology", "s", "er", "ment", "ive"])

    def decline_prompt(self):
        rng, off = self.rng, self.offtopic
        if rng.random() < 0.09:
            text = rng.choice(off["foreign"])
        else:
            text = rng.choices(off["prompts"], self.prompt_weights)[0]
        text = corpus.expand(rng, text)
        fill = {
            "{v}": lambda: corpus.expand(rng, rng.choice(off["tasks"])),
            "{t}": lambda: corpus.expand(rng, rng.choices(off["topics"], self.topic_weights)[0]) if rng.random() < 0.8
            else rng.choice(["", "a ", "the "]) + self.gibberish(),
            "{p}": lambda: corpus.expand(rng, off["people"][0]) if rng.random() < 0.8 else self.gibberish().capitalize(),
            "{x}": lambda: corpus.expand(rng, off["places"][0]) if rng.random() < 0.8 else self.gibberish().capitalize(),
            "{u}": lambda: corpus.expand(rng, off["unknown_countries"][0]),
            "{g}": self.gibberish,
            "{big}": lambda: str(rng.randint(11, 999)),
            "{huge}": lambda: str(rng.randint(100, 99999)),
            "\\n": lambda: "\n",
        }
        for slot, make in fill.items():
            while slot in text:
                text = text.replace(slot, make(), 1)
        if rng.random() < 0.25:
            text = corpus.decorate(rng, text)
        return corpus.noise(rng, text, rng.random() < 0.6), self.decline

    def named(self, patterns, value, question):
        rng = self.rng
        # Longer patterns hold more alternatives.
        text = corpus.expand(rng, rng.choices(patterns, [len(p) ** 0.5 for p in patterns])[0])
        text = corpus.noise(rng, text, question)
        bare = text.replace("{n}", "")
        if bare and bare == bare.upper() and bare != bare.lower():
            value = value.upper()
        elif bare == bare.lower() and rng.random() < 0.4:
            value = value.lower()
        return text.replace("{n}", value), value

    def plain_turn(self, first):
        roll = self.rng.random()
        make = (lambda: self.intent(first)) if roll < 0.46 else self.fact if roll < 0.74 else self.decline_prompt
        return self.draw(make)

    def tell(self, patterns, names):
        value = recall.name(self.rng, self.heldout.names)
        if self.rng.random() < 0.04:
            value += " " + recall.name(self.rng, self.heldout.names)
        names.extend(value.split())
        text, typed = self.draw(lambda: self.named(patterns, value, False), names)
        return text, recall.told(typed), typed

    def ask(self):
        text, _ = self.draw(lambda: self.named(recall.ASK, "", True))
        return text

    def conversation(self):
        rng = self.rng
        messages, names = [], []
        if rng.random() < 0.25:
            messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
        roll = rng.random()
        # Mostly one question, or a name told and asked for: short samples teach most for their length.
        turns = 1 if roll < 0.60 else rng.choices([2, 3, 4, 5], [50, 25, 15, 10])[0] if roll < 0.99 else rng.randint(8, 18)
        with_name = turns > 1 and rng.random() < 0.8
        tell_at = rng.randrange(min(turns - 1, 3)) if with_name else None
        asks = {turns - 1} | {rng.randrange(tell_at + 1, turns)} if with_name else set()
        correct_at = rng.randrange(tell_at + 1, turns) if with_name and turns > 2 and rng.random() < 0.4 else None
        known = None
        for turn in range(turns):
            if turn == tell_at:
                text, answer, known = self.tell(recall.TELL, names)
            elif turn == correct_at and turn not in asks:
                text, answer, known = self.tell(recall.CORRECT, names)
            elif turn in asks:
                text, answer = self.ask(), recall.answer(known)
            elif known is None and rng.random() < 0.02:
                text, answer = self.ask(), recall.UNKNOWN
            elif turns == 1 and rng.random() < 0.12:
                text, answer, known = self.tell(recall.TELL, names)
            else:
                text, answer = self.plain_turn(turn == 0)
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        return {"messages": messages, "names": names}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = Generator(args.seed, HeldOut(pathlib.Path(__file__).parent / "heldout"))
    with open(args.out, "w", encoding="utf-8") as out:
        for _ in range(args.conversations):
            out.write(json.dumps(generator.conversation(), ensure_ascii=False) + "\n")
    print(f"{args.conversations} conversations, {generator.dropped} of {generator.drawn} prompts dropped for overlap with the held-out set")


if __name__ == "__main__":
    main()

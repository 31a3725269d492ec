#!/usr/bin/env python3
"""Check that no training prompt shares a template with a held-out prompt.

    check_overlap.py CORPUS.jsonl [--heldout DIR]

Prompts are lower-cased, stripped of punctuation, and names, numbers, countries, animals, days,
months, opposites and coloured things become slots. A held-out prompt of five words or more must
share no 5-gram with any training prompt; one of three or four words must not occur inside one;
a shorter one must not equal one. Held-out names must not occur in the corpus at all.
Exits 1 when a check fails.
"""

import argparse
import json
import pathlib
import re
import sys

import facts
from score import read_jsonl

GRAM = 5
WORD = re.compile(r"[^\W_]+")


def slot_table():
    table = {}
    for slot, words in [("<number>", facts.NUMBER_WORDS[1:]), ("<country>", facts.CAPITALS), ("<day>", facts.DAYS),
                        ("<month>", facts.MONTHS), ("<thing>", [t.split()[-1] for t in facts.COLOURS]),
                        ("<opposite>", [w for pair in facts.OPPOSITES for w in pair if w not in ("up", "down", "good", "open")]),
                        ("<animal>", [w for a in {*facts.SOUNDS, *facts.BABIES, *facts.LEGS} for w in (a, facts.plural(a))])]:
        table.update((word.lower(), slot) for word in words)
    return table


SLOTS = slot_table()


def normalise(text, names=()):
    words = WORD.findall(text.lower())
    return tuple("<name>" if w in names else "<number>" if w.isdigit() else SLOTS.get(w, w) for w in words)


def grams(words, size=GRAM):
    return {words[i: i + size] for i in range(len(words) - size + 1)}


class HeldOut:
    """The held-out prompts, indexed for the overlap test."""

    def __init__(self, folder):
        rows = [row for path in sorted(pathlib.Path(folder).glob("*.jsonl")) for row in read_jsonl(path)]
        self.names = {re.sub(r"\\b", "", p) for row in rows if row["kind"] == "recall" for p in row["accept"]}
        prompts = set()
        for row in rows:
            users = [m["content"] for m in row["messages"] if m["role"] == "user"]
            # In recall lines every turn is held out, elsewhere the last one (earlier turns only set the scene).
            prompts.update(normalise(u, self.names) for u in (users if row["kind"] == "recall" else users[-1:]))
        self.prompts = prompts
        self.grams = set().union(*(grams(p) for p in prompts))
        self.inside = {p for p in prompts if 3 <= len(p) < GRAM}
        self.whole = {p for p in prompts if 0 < len(p) < 3}

    def overlap(self, text, names=()):
        """Return the shared n-gram, or None."""
        words = normalise(text, names)
        if self.names & set(words):
            return tuple(self.names & set(words))
        if words in self.whole:
            return words
        shared = grams(words) & self.grams
        for size in (3, 4):
            shared |= grams(words, size) & self.inside
        return min(shared) if shared else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--heldout", default=pathlib.Path(__file__).parent / "heldout")
    args = parser.parse_args()
    heldout = HeldOut(args.heldout)
    checked, found = 0, []
    with open(args.corpus, encoding="utf-8") as corpus:
        for line in corpus:
            row = json.loads(line)
            names = {name.lower() for name in row["names"]}
            for message in row["messages"]:
                if message["role"] != "user":
                    continue
                checked += 1
                if (shared := heldout.overlap(message["content"], names)) is not None:
                    found.append((message["content"], " ".join(shared)))
    for text, shared in found[:20]:
        print(f"OVERLAP {text!r}: {shared}")
    print(f"{checked} training prompts against {len(heldout.prompts)} held-out prompts "
          f"({len(heldout.grams)} {GRAM}-grams, {len(heldout.inside) + len(heldout.whole)} short prompts, "
          f"{len(heldout.names)} names): {len(found)} overlaps")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Score answers of the demo model against the held-out set.

    score.py ANSWERS.jsonl [--heldout DIR] [--show]

ANSWERS.jsonl has one line {"id": ..., "answer": ...} per held-out line. An answer is right
when any regular expression of the line's "accept" list is found in the lower-cased answer.
Prints the percentage of each kind and exits 1 below the bar, 2 on missing or unknown ids.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

BAR = {"decline": 90.0, "intent": 90.0, "recall": 80.0}


def read_jsonl(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def read_heldout(folder):
    return [row for path in sorted(pathlib.Path(folder).glob("*.jsonl")) for row in read_jsonl(path)]


def is_right(row, answer):
    return any(re.search(pattern, answer.lower()) for pattern in row["accept"])


def score(heldout, answers, show=False):
    """Return {kind: percentage}; raises KeyError when an answer is missing."""
    right, total = collections.Counter(), collections.Counter()
    for row in heldout:
        answer = answers[row["id"]]
        total[row["kind"]] += 1
        if is_right(row, answer):
            right[row["kind"]] += 1
        elif show:
            print(f"WRONG {row['id']}: {row['messages'][-1]['content']!r} -> {answer!r}")
    for kind in sorted(total):
        percent = 100.0 * right[kind] / total[kind]
        print(f"{kind}: {right[kind]}/{total[kind]} = {percent:.1f} % (bar {BAR[kind]:.0f} %)")
    return {kind: 100.0 * right[kind] / total[kind] for kind in total}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers")
    parser.add_argument("--heldout", default=pathlib.Path(__file__).parent / "heldout")
    parser.add_argument("--show", action="store_true", help="print each wrong answer")
    args = parser.parse_args()
    heldout = read_heldout(args.heldout)
    answers = {row["id"]: row["answer"] for row in read_jsonl(args.answers)}
    known = {row["id"] for row in heldout}
    if len(known) != len(heldout):
        sys.exit("held-out ids are not unique")
    missing, unknown = known - answers.keys(), answers.keys() - known
    if missing or unknown:
        print(f"missing answers: {sorted(missing)[:5]}, unknown ids: {sorted(unknown)[:5]}", file=sys.stderr)
        return 2
    percent = score(heldout, answers, args.show)
    return int(any(percent.get(kind, 0.0) < bar for kind, bar in BAR.items()))


if __name__ == "__main__":
    sys.exit(main())

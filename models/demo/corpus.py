"""Small pattern grammar and typing noise shared by the generator."""

import pathlib
import re

DATA = pathlib.Path(__file__).parent / "data"
INNERMOST = re.compile(r"\[([^\[\]]*)\]")


def lines(name):
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def macros():
    return dict(line.split(" = ", 1) for line in lines("macros.txt"))


def expand(rng, pattern):
    """Choose one alternative of every `[a|b]`, innermost first."""
    while (match := INNERMOST.search(pattern)) is not None:
        choice = rng.choice(match.group(1).split("|"))
        pattern = pattern[: match.start()] + choice + pattern[match.end():]
    return re.sub(r" +([,?!.])", r"\1", re.sub(r"\s+", " ", pattern)).strip()


def read_intents(name):
    """Return [(intent, weight, answer, [pattern])] of one data file."""
    table, found = macros(), []
    for line in lines(name):
        if line.startswith("@"):
            intent, weight = line[1:].split()
            found.append([intent, float(weight), None, []])
        elif line.startswith("= "):
            found[-1][2] = line[2:]
        else:
            for macro, value in table.items():
                line = line.replace("$" + macro, value)
            found[-1][3].append(line)
    return [tuple(entry) for entry in found]


BEFORE = ["hey, ", "hi, ", "hello, ", "please ", "ok, ", "so ", "well, ", "now ", "and ", "hey bot, ", "tell me, ", "a question: ",
          "quick question: ", "one question, ", "I want to know: ", "can you tell me: ", "hm, ", "say, ", "oh, ", "um, ", "right, ", "excuse me, ",
          "just curious, ", "another question: ", "then ", "alright, ", "listen, ", "tell me please, "]
AFTER = [" please", " thanks", " now", " then", " exactly", ", please", ", thank you", " for me", " again", " pls", ", can you tell me",
         ", do you know", " really", " by the way", ", I wonder", " today", ", right", " actually", " mate", ", tell me", " in short"]


def decorate(rng, text):
    roll = rng.random()
    if roll < 0.14:
        return rng.choice(BEFORE) + text
    if roll < 0.24:
        return text + rng.choice(AFTER)
    return text


def typo(rng, word):
    if len(word) < 4 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    if kind == 1:
        return word[:i] + word[i + 1:]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[i + 1:]


def noise(rng, text, question=True):
    """Vary case, punctuation and spelling the way people type; "{" marks words to leave alone."""
    words = text.split(" ")
    roll = rng.random()
    if roll < 0.10 and len(words) > 1:
        i = rng.randrange(len(words))
        if "{" not in words[i]:
            words[i] = typo(rng, words[i])
    elif roll < 0.18 and len(words) > 3:
        i = rng.randrange(len(words))
        if "{" not in words[i]:
            del words[i]
    elif roll < 0.22 and len(words) > 2:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    text = " ".join(words)
    roll = rng.random()
    if roll < 0.30:
        text = text.lower()
    elif roll < 0.33:
        text = re.sub(r"[^{}]+(?![^{]*\})", lambda m: m.group(0).upper(), text)
    elif roll < 0.85:
        text = text[:1].upper() + text[1:]
    roll = rng.random()
    if text[-1:].isalnum() or text.endswith("}"):
        if roll < 0.40:
            text += "?" if question else rng.choice([".", ".", "!"])
        elif roll < 0.50:
            text += rng.choice([".", "!", "??", "...", " ?", "!!"])
    return text

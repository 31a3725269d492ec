#!/usr/bin/env python3
"""Answer the held-out set with a GGUF file and write ANSWERS.jsonl for score.py.

    answer.py ANSWERS.jsonl --gguf subrosa-demo.gguf          llama.cpp in this process (PyPI xllamacpp)
    answer.py ANSWERS.jsonl --url http://127.0.0.1:8787/v1    any OpenAI-compatible service

Greedy, at most 96 tokens.
"""

import argparse
import json
import pathlib
import urllib.request

from score import read_heldout

SAMPLING = {"temperature": 0, "max_tokens": 96, "stream": False}


def llama(path, threads):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 1024
    params.n_parallel = 1
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    params.use_jinja = True
    server = xllamacpp.Server(params)

    def ask(messages):
        reply = server.handle_chat_completions({"messages": messages, **SAMPLING, "top_k": 1, "cache_prompt": False})
        return reply["choices"][0]["message"]["content"]

    return ask


def service(base, model):
    def ask(messages):
        body = json.dumps({"model": model, "messages": messages, **SAMPLING}).encode()
        request = urllib.request.Request(base.rstrip("/") + "/chat/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["choices"][0]["message"]["content"]

    return ask


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--gguf", type=pathlib.Path)
    where.add_argument("--url")
    parser.add_argument("--model", default="subrosa-demo", help="model name sent to --url")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--heldout", default=pathlib.Path(__file__).parent / "heldout")
    args = parser.parse_args()
    ask = llama(args.gguf, args.threads) if args.gguf else service(args.url, args.model)
    with open(args.out, "w", encoding="utf-8") as out:
        for row in read_heldout(args.heldout):
            out.write(json.dumps({"id": row["id"], "answer": ask(row["messages"])}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

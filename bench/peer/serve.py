"""Starts llama.cpp's own server on a loopback port, until stdin ends.

usage: serve.py MODEL.gguf STREAMS THREADS CONTEXT

CONTEXT is per stream, like ours. The first line on stdout is JSON: where it
listens, and which version and instruction sets it was built with.
"""

import json
import sys

import xllamacpp


def main() -> None:
    model, streams, threads, context = sys.argv[1], *map(int, sys.argv[2:])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = streams
    params.n_ctx = context * streams
    params.kv_unified = True
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    # Every request is computed from its first token, on both sides.
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    # The connections of all streams are open at once.
    params.n_threads_http = streams + 4
    params.use_jinja = True
    params.verbosity = 0
    server = xllamacpp.Server(params)
    ready = {
        "listening": server.listening_address,
        "version": xllamacpp.__version__,
        "system": xllamacpp.get_system_info().strip(),
        "build": str(xllamacpp.BUILD_INFO),
    }
    print(json.dumps(ready), flush=True)
    sys.stdin.read()


main()

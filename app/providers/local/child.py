"""
The process of the built-in model: `child.py MODEL_FILE THREADS`.

It opens llama.cpp's own OpenAI-compatible server on a free port of 127.0.0.1 and says where on its standard output, in
one line of JSON: {"url": "http://127.0.0.1:PORT", "key": "..."}. Then it lives until its standard input is closed,
which the kernel sees to even if the gateway is killed. It imports nothing of the gateway, so that it starts fast.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys

import msgspec
import xllamacpp

SLOTS = 2  # calls computed at the same time; more only share the same cores
SLOT_TOKENS = 4096  # of the 8192 the model was trained for: 47 MiB of memory for each slot
HTTP_THREADS = 16  # calls that may wait for a slot; each costs a sleeping thread


def serve(model_file: str, threads: int, key: str) -> xllamacpp.Server:
    """Load the model and serve it to whoever knows `key`."""
    params = xllamacpp.CommonParams()
    params.model.path = model_file
    params.model_alias = {"smollm2"}
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = min(threads, _cores())
    params.n_threads_http = HTTP_THREADS
    params.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    params.verbosity = -1
    # Any web page may try ports of this machine, and any user of it may connect.
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    return xllamacpp.Server(params)


def main(model_file: str, threads: str) -> None:
    """Serve until standard input ends."""
    # Sent to the gateway's whole group: it decides itself when this process ends, and closes standard input then.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    key = secrets.token_urlsafe(32)
    server = serve(model_file, int(threads), key)
    sys.stdout.buffer.write(msgspec.json.encode({"url": server.listening_address, "key": key}) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # an orderly exit would first compute every answer under way to its end


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main(*sys.argv[1:])

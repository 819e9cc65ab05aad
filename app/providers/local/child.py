"""
The process of the built-in model: `child.py MODEL_FILE`.

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
SLOT_TOKENS = 2048  # a prompt of this length is read in about 25 s by one core; first_token_s is 30 s
THREADS_MAX = 2  # 46 tokens/s with one thread on an idle machine, 90 with two
HTTP_THREADS = 16  # calls that may wait for a slot, each in a thread that sleeps


def serve(model_file: str, key: str) -> xllamacpp.Server:
    """Load the model and serve it to whoever knows `key`."""
    params = xllamacpp.CommonParams()
    params.model.path = model_file
    params.model_alias = {"smollm2"}
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    params.n_threads_http = HTTP_THREADS
    params.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    params.verbosity = -1
    # Any web page may try ports of this machine, and any user of it may connect.
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    return xllamacpp.Server(params)


def main(model_file: str) -> None:
    """Serve until standard input ends."""
    # Sent to the gateway's whole group: it decides itself when this process ends, and closes standard input then.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    key = secrets.token_urlsafe(32)
    server = serve(model_file, key)
    sys.stdout.buffer.write(msgspec.json.encode({"url": server.listening_address, "key": key}) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # an orderly exit would first compute every answer under way to its end


def _threads() -> int:
    """
    Use half of the cores.

    The threads wait for each other after every step, spinning: on a busy machine with two cores two threads gave 1.5
    tokens/s where one gave 14.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // 2, THREADS_MAX))


if __name__ == "__main__":
    main(sys.argv[1])

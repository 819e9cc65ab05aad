"""Start the gateway alone and wait for its first answer, from `sim/echo`; read its memory a second later."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from loadtests.contestants import gateway_argv
from loadtests.processes import Cores, Fleet, free_port, wait_for_answer
from loadtests.results import Startup

_CONFIG: Final = """\
server: {{host: 127.0.0.1, port: {port}}}
providers: {{sim: {{kind: sim}}}}
"""
_BODY: Final = msgspec.json.encode({"model": "sim/echo", "messages": [{"role": "user", "content": "hello"}]})
_SETTLE_S: Final = 1.0


def measure(directory: Path, cores: Cores, times: int) -> list[Startup]:
    """
    Start the gateway `times` times, one after the other.

    Raises `StartError` if it does not come up.
    """
    port = free_port()
    config = directory / "startup.yaml"
    config.write_text(_CONFIG.format(port=port))
    return [_one(config, port, cores) for _ in range(times)]


def _one(config: Path, port: int, cores: Cores) -> Startup:
    with Fleet() as fleet:
        began_s = time.monotonic()
        server = fleet.start(gateway_argv(config, port), core=cores.tested)
        wait_for_answer(server, port, _BODY)
        first_answer_s = time.monotonic() - began_s
        time.sleep(_SETTLE_S)
        return Startup(first_answer_s, server.rss_mib())

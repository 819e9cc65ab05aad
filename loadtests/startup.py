"""
Start the gateway alone and wait for its first answer, from `sim/echo`; read its memory a second later.

Bytecode goes into a directory of our own, so that it does not depend on who ran what before: one start writes it and
is not counted, the others find it, as every start of an installed program but the first does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
    Start the gateway `times` times, one after the other, and once more before that.

    Raises `StartError` if it does not come up.
    """
    port = free_port()
    config = directory / "startup.yaml"
    config.write_text(_CONFIG.format(port=port))
    env = {"PYTHONPYCACHEPREFIX": str(directory / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    return [_one(gateway_argv(config, port), port, cores, env) for _ in range(times + 1)][1:]


def _one(argv: Sequence[str], port: int, cores: Cores, env: Mapping[str, str]) -> Startup:
    with Fleet() as fleet:
        began_s = time.monotonic()
        server = fleet.start(argv, core=cores.tested, env=env)
        wait_for_answer(server, port, _BODY)
        first_answer_s, cpu_s = time.monotonic() - began_s, server.cpu_s()
        time.sleep(_SETTLE_S)
        return Startup(first_answer_s, cpu_s, server.rss_mib())

"""What every process that serves needs: the listening socket, uvicorn's configuration, a calm garbage collector."""

from __future__ import annotations

import gc
import socket
from contextlib import suppress
from importlib import import_module
from typing import Final

import uvicorn

from app.config.listening import Place
from app.config.sections import Server
from app.main import Service
from app.serving.guarded_protocol import Guard, GuardOptions

BACKLOG: Final = 4096
_KEEP_ALIVE_S: Final = (
    75  # longer than the 60 s of the usual load balancers, so that they close idle connections, not we
)
_GC_ALLOCATIONS: Final = (
    10_000  # a call leaves no cycles behind, so the collector may look for them less often than by default
)


def listen(place: Place) -> socket.socket:
    """
    Open a socket that requests come in by; worker processes can accept from it.

    Raises:
        OSError: The address is not free, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.create_server((place.host, place.port), family=family, backlog=BACKLOG)
    listening.set_inheritable(True)
    return listening


def open_more_files() -> None:
    """Take as many open files as this process may have: the 1,024 of most shells and containers are 500 streams."""
    try:
        resource = import_module("resource")
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names no bound, and has one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def port_of(listening: socket.socket) -> int:
    """Return the port on which a socket listens; that is another than was asked for if any would do."""
    port: int = listening.getsockname()[1]
    return port


def admin_port_of(listening: tuple[socket.socket, ...]) -> int | None:
    """Return the port that the administration has for itself, if there is a second socket for it."""
    return port_of(listening[1]) if len(listening) > 1 else None


def uvicorn_config(service: Service) -> uvicorn.Config:
    """Return how uvicorn serves."""
    return uvicorn.Config(
        service.api,
        backlog=BACKLOG,
        http=Guard(_guard_options(service.settings.server)),  # type: ignore[arg-type]  # a factory, as uvicorn calls it
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,  # a caller could claim any address
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def _guard_options(given: Server) -> GuardOptions:
    return GuardOptions(
        hosts=frozenset(name.lower().encode() for name in given.hosts),
        head_max_bytes=given.head_max_bytes,
        headers_max=given.headers_max,
        head_s=given.head_timeout_s,
        body_min_bytes_per_s=given.body_min_bytes_per_s,
        per_address=given.connections_per_address,
    )


def settle_garbage() -> None:
    """Once everything is made: what lives as long as the process need not be looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS)

"""Set up a serving process: the listening socket, the file limit, uvicorn's configuration and garbage collection."""

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
_KEEP_ALIVE_S: Final = 75  # longer than the usual 60 s of load balancers: they should close idle connections, not we
_GC_ALLOCATIONS: Final = 10_000  # a call leaves no reference cycles, so collect less often than by default


def listen(place: Place) -> socket.socket:
    """
    Open a listening socket, which worker processes can inherit.

    Raises:
        OSError: The address is in use, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.create_server((place.host, place.port), family=family, backlog=BACKLOG)
    listening.set_inheritable(True)
    return listening


def open_more_files() -> None:
    """Raise the limit of open files to its maximum: the usual 1,024 are enough for only 500 streams."""
    try:
        resource = import_module("resource")
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS reports no maximum, but has one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def port_of(listening: socket.socket) -> int:
    """Return the port on which a socket listens; where port 0 was asked for, the one that the system chose."""
    port: int = listening.getsockname()[1]
    return port


def admin_port_of(listening: tuple[socket.socket, ...]) -> int | None:
    """Return the separate port of the admin API, if there is a second socket for it."""
    return port_of(listening[1]) if len(listening) > 1 else None


def uvicorn_config(service: Service) -> uvicorn.Config:
    """Return uvicorn's configuration."""
    return uvicorn.Config(
        service.api,
        backlog=BACKLOG,
        http=Guard(_guard_options(service.settings.server)),  # type: ignore[arg-type]  # a factory, as uvicorn calls it
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,  # else a caller could claim any address
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
    """Exclude the objects that exist after startup from garbage collection: they live as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS)

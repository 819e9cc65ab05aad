"""`wizard serve`: read the configuration, open the sockets, and run the server until a signal stops it."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import msgspec
from pydantic import ValidationError

from app.cli.banner import banner
from app.cli.embedded_default import found_here
from app.cli.verbs import CommandError, Verbs, add_config, add_verb
from app.config.listening import Place, places
from app.config.load import Source, find
from app.config.sections import Server
from app.config.shapes import expectation, shape_at
from app.providers.local.wheels import missing
from app.serving.process import listen, open_more_files, port_of
from app.serving.start import start

_FLAGS = (("host", "address to listen on"), ("port", "TCP port to listen on"), ("workers", "worker processes"))
_EXAMPLES = """\
wizard serve
wizard serve --config config.yaml --workers 4
WIZARD_SERVER__PORT=9000 wizard serve"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `serve`."""
    parser = add_verb(verbs, "serve", "start the gateway", _EXAMPLES)
    add_config(parser)
    for name, text in _FLAGS:
        parser.add_argument(f"--{name}", type=_setting(name), help=f"{text} (server.{name})")
    return parser


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it, and return the exit code."""
    for ending in (signal.SIGTERM, signal.SIGINT):  # until the server installs its own handlers
        signal.signal(ending, _exit)
    path = find(args.config)
    source = Source(path, _overrides(args), found_here() if path is None else {})
    loaded = source.read()
    open_more_files()
    listening, urls = [], []
    for place in places(loaded.settings):
        try:
            listening.append(listen(place))
        except OSError as error:
            raise CommandError(_cannot_listen(place, error)) from error
        urls.append(msgspec.structs.replace(place, port=port_of(listening[-1])).url)
    text = banner(loaded, urls, missing() if path is None else None)
    return start(source, loaded, tuple(listening), partial(print, text, flush=True))


def _setting(name: str) -> Callable[[str], str]:
    """Return the parser of a flag that overrides a setting of the server."""

    def checked(text: str) -> str:
        try:
            Server.model_validate({name: text})
        except ValidationError:
            shape = shape_at(Server, (name,))
            expected = "something else" if shape is None else expectation(shape)
            raise argparse.ArgumentTypeError(f"expected {expected}, not {text!r}") from None
        return text

    return checked


def _overrides(args: argparse.Namespace) -> dict[str, str]:
    """Return the flags as the environment variables of the settings they override."""
    flags = {name: getattr(args, name) for name, _ in _FLAGS}
    return {f"WIZARD_SERVER__{name.upper()}": value for name, value in flags.items() if value is not None}


def _cannot_listen(place: Place, error: OSError) -> str:
    reason = (error.strerror or str(error)).partition(" (")[0]  # Python appends the address
    in_use = error.errno == errno.EADDRINUSE
    advice = f"\n  stop what listens there, or choose another port: {place.section}.port" if in_use else ""
    return f"cannot listen on {place.host} port {place.port}: {reason}{advice}"


def _exit(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)

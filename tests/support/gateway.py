"""
A real gateway for tests: the `wizard` command in a process of its own, started as a user starts it.

It listens on a port of its own choice, and everything it prints is kept.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Self

import httpx2
import msgspec
import yaml

LIMIT_S = 90.0  # a start takes one second, on a machine with a queue twenty; whatever reaches this limit hangs
# For clients: through no proxy, without reading for 20 ms whom to trust, since nothing here speaks TLS, and patient.
LOCAL: Final[Mapping[str, Any]] = {
    "trust_env": False,
    "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    "timeout": LIMIT_S,
}
_POLL_S = 0.02
_ADDRESS = re.compile(r"listening on (http://\S+)")
_NO_OPTIONS: Mapping[str, str] = {}


def clean_environment(more: Mapping[str, str] = _NO_OPTIONS) -> dict[str, str]:
    """Return this process's environment without what configures a gateway, and with `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WIZARD_") and not name.endswith("_API_KEY")
    }
    return {**kept, "WIZARD_SERVER__DRAIN_DELAY_S": "0", **more}  # no load balancer has to find out about its end


def unmeasured_environment(more: Mapping[str, str] = _NO_OPTIONS) -> dict[str, str]:
    """Return the same without coverage: for foreign programs, whose time it would double, and for read-only ones."""
    return {name: value for name, value in clean_environment(more).items() if not name.startswith("COVERAGE_")}


def wizard(*arguments: str) -> list[str]:
    """Return the command line of the installed `wizard`."""
    return [str(Path(sys.executable).with_name("wizard")), *arguments]


class Printed:
    """What a process wrote to one of its outputs so far; filled by a thread."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """Return all of it."""
        with self._changed:
            return "".join(self._lines)

    def wait_for(self, find: Callable[[list[str]], Any]) -> Any:  # noqa: ANN401 - whatever `find` finds
        """Return what `find` makes of the lines as soon as that is true; fail at the end of the output."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or find(self._lines), LIMIT_S)
            found = find(self._lines)
            assert found, f"not found in what the gateway printed:\n{''.join(self._lines)[-5000:]}"
            return found

    def close(self) -> None:
        """Wait for the end of the output."""
        self._reader.join(LIMIT_S)
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            with self._changed:
                self._lines.append(line.decode())
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@dataclass(frozen=True)
class Start:
    """How to start a gateway: its configuration (None: the embedded default), further flags, variables and folder."""

    config: Mapping[str, Any] | None = None
    flags: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class GatewayProcess:
    """A gateway that is running."""

    def __init__(self, start: Start, folder: Path) -> None:
        self.folder = folder
        self.config_path = folder / "gateway.yaml"
        flags = ["--port", "0", *start.flags]
        if start.config is not None:
            self.write_config(start.config)
            flags = ["--config", str(self.config_path), *flags]
        self.process = subprocess.Popen(
            wizard("serve", *flags),
            cwd=folder,
            env=clean_environment(start.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdout = Printed(self.process.stdout)
        self.stderr = Printed(self.process.stderr)
        self.url = ""
        # A connection of its own for each request: with several workers, each has its chance.
        self._http = httpx2.Client(**LOCAL, limits=httpx2.Limits(max_keepalive_connections=0))

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self.url.rpartition(":")[2])

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace the file that the configuration comes from."""
        self.config_path.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")

    def wait_until_ready(self) -> Self:
        """Return once `/readyz` says that calls can be served."""
        try:
            found = self.stdout.wait_for(lambda lines: _ADDRESS.search("".join(lines)))
        except AssertionError as error:
            raise AssertionError(f"{error}\nstderr:\n{self.stderr.text}") from None
        self.url = found[1]
        eventually(self._is_ready, "the gateway never became ready")
        return self

    def get(self, path: str) -> httpx2.Response:
        """Ask for a path."""
        return self._http.get(self.url + path)

    def ask(self, model: str) -> httpx2.Response:
        """Ask a model to say hi."""
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
        return self._http.post(f"{self.url}/v1/chat/completions", json=body)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of one sample of `/metrics`; 0 if there is none."""
        return sum(
            value for sample, found, value in self._samples() if sample == name and labels.items() <= found.items()
        )

    def wait_for_metric(self, name: str, value: float, **labels: str) -> None:
        """Return once a sample of `/metrics` has this value."""
        try:
            eventually(lambda: self.metric(name, **labels) == value, f"{name} never became {value}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.metric(name, **labels)}\n{self.stdout.text[-2000:]}") from None

    def logs(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        return _parsed(self.stdout.text.splitlines())

    def wait_for_log(self, event: str, **fields: object) -> dict[str, Any]:
        """Return the first log line of this event with these fields, as soon as it is there."""

        def find(lines: list[str]) -> dict[str, Any] | None:
            found = (line for line in _parsed(lines) if line["event"] == event and fields.items() <= line.items())
            return next(found, None)

        found: dict[str, Any] = self.stdout.wait_for(find)
        return found

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(LIMIT_S)
        self.stdout.close()
        self.stderr.close()
        self._http.close()
        return code

    def stop(self) -> int:
        """Ask the process to end if it still runs, wait for that and return the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise

    def _is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def _samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        for line in self.get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                yield name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)


@contextmanager
def running(start: Start) -> Iterator[GatewayProcess]:
    """Start a gateway in an empty folder, wait until it is ready, and stop it at the end."""
    with launched(start) as gateway:
        yield gateway.wait_until_ready()


@contextmanager
def launched(start: Start) -> Iterator[GatewayProcess]:
    """Start a gateway in an empty folder, whatever becomes of it, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="wizard-test-") as folder:
        gateway = GatewayProcess(start, Path(folder))
        try:
            yield gateway
        finally:
            gateway.stop()


def eventually(happened: Callable[[], object], otherwise: str) -> None:
    """Return once something is so; the limit is there for hangs only."""
    pause, until = threading.Event(), time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < until, otherwise
        pause.wait(_POLL_S)


def _parsed(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Return the log lines among what was printed: the banner's lines do not begin like an object."""
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines if line.startswith("{")]

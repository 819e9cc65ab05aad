"""What the gateway does with a provider besides passing calls on: its models, counts, probes, files and batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from app.assembly.attempts import count_tokens
from app.assembly.health import prober_handler, probings
from app.assembly.providers import sources
from app.core.call import Target
from app.core.model import Completion, Operation, PlainRequest
from app.core.pipeline import compose
from app.core.ports import HttpRequest
from app.providers.discovery import Discovered, Discoverer
from app.providers.health import Prober
from tests.assembly.support import Bench, loaded
from tests.providers.conformance.dialects import COLUMNS, GOLDEN, PASSING, Dialect
from tests.providers.conformance.marks import named
from tests.providers.conformance.services import COUNTING, KEEPING, LISTS, setting
from tests.support.calls import FakeProvider, a_call, an_attempt, answers, asking
from tests.support.virtual_time import VirtualClock, clock, pytest_asyncio_loop_factories

__all__ = ["clock", "pytest_asyncio_loop_factories"]
EACH = pytest.mark.parametrize("dialect", COLUMNS, ids=named)
STREAMED = {
    ".sse": "text/event-stream",
    ".ndjson": "application/x-ndjson",
    ".json": "application/vnd.amazon.eventstream",
}


class Said:
    """A recorded answer."""

    def __init__(self, status: int, media_type: str, pieces: list[bytes]) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": media_type}
        self._pieces = pieces

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        """Nothing is open."""


class Provider:
    """An `UpstreamClient` behind which one provider is: it answers calls as it was recorded, and lists its models."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    async def send(self, request: HttpRequest) -> Said:
        """Answer."""
        dialect = self._dialect
        if request.method == "GET":
            url, body, _ = LISTS.get(dialect.name, ("", b"", ()))
            return Said(200 if request.url == url else 404, "application/json", [body])
        if b'"stream":true' in request.body or "tream" in request.url:
            return Said(200, STREAMED[dialect.suffix], _recorded(dialect, "streams/text.sse") or dialect.stream("text"))
        return Said(200, "application/json", _recorded(dialect, "answers/text.json") or [dialect.answer("text")])


def _recorded(dialect: Dialect, name: str) -> list[bytes]:
    """Return what a provider of OpenAI's form says, which is the canonical form of what any other one does."""
    return [(GOLDEN / "cohere/canonical" / name).read_bytes()] if dialect in PASSING else []


def bench_of(dialect: Dialect, clock: VirtualClock) -> Bench:
    """Return what a gateway before one provider is built from."""
    bench = Bench(clock)
    bench.deps = msgspec.structs.replace(bench.deps, client=Provider(dialect))
    return bench


@EACH
async def test_models_are_found(dialect: Dialect, clock: VirtualClock) -> None:
    """A provider that lists its models is asked where it does, and they are known by the names to call them by."""
    bench, found = bench_of(dialect, clock), Discovered()
    settings = loaded(providers={"p": {**setting(dialect.name), "discover": True}}).settings
    discoverer = Discoverer(found, clock)

    discoverer.follow(sources(settings, bench.deps))
    await clock.sleep(1)
    await discoverer.aclose()

    _, _, names = LISTS.get(dialect.name, ("", b"", ()))
    assert found.get("p", ()) == names


@EACH
async def test_tokens_are_counted(dialect: Dialect) -> None:
    """Who can count is asked, and for all others the gateway estimates."""
    below = FakeProvider(answers())
    settings = loaded(providers={"p": setting(dialect.name)}).settings
    call = msgspec.structs.replace(a_call(asking()), request=PlainRequest(Operation.COUNT_TOKENS, "m", b"{}", tokens=7))

    reply = await compose([count_tokens(settings)], below)(an_attempt(call, Target("p", "m")))

    assert isinstance(reply.body, Completion)
    assert (reply.body.raw == b'{"input_tokens":7}') is (dialect.name not in COUNTING)


@EACH
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_probe_is_answered(dialect: Dialect, clock: VirtualClock, stream: bool) -> None:
    """A small call shows that a provider is well."""
    bench = bench_of(dialect, clock)
    health: Mapping[str, Any] = {"enabled": True, "model": dialect.tag, "stream": stream}
    settings = loaded(providers={"p": {**setting(dialect.name), "health": health}}).settings
    deps = bench.deps
    prober = Prober(deps.health, clock, deps.listener, deps.rota)

    prober.follow(probings(settings), lambda: prober_handler(settings, deps))
    await clock.sleep(1)
    await prober.aclose()

    checked = deps.health.of("p")
    assert checked is not None
    assert (checked.up, checked.code) == (True, "")


@EACH
@pytest.mark.parametrize("what", ["files", "batches"])
def test_files_and_batches(dialect: Dialect, clock: VirtualClock, what: str) -> None:
    """Who keeps them in OpenAI's form, or in one that is translated, has the routes."""
    gateway = bench_of(dialect, clock).gateway(providers={"p": setting(dialect.name)}, files={"enabled": True})

    assert gateway.passing is not None
    having = gateway.passing.files if what == "files" else gateway.passing.batches
    assert ("p" in having) is (dialect.name in KEEPING)

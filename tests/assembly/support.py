"""A gateway built as the server builds it, with a scripted provider and a client that keeps what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from app.assembly import build_gateway, make_deps
from app.config.load import Loaded
from app.config.schema import Settings
from app.core.call import Call, CallOptions, Reply
from app.core.gateway import Gateway
from app.core.ports import HttpRequest
from app.core.signals import Signal
from app.providers.sim import SimUpstream
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from tests.support.calls import a_call, asking
from tests.support.virtual_time import VirtualClock

ANSWER = b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}'


class WholeReply:
    """An answer that is there at once."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "application/json"}

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield ANSWER

    async def aclose(self) -> None:
        """Nothing is open."""


class Recorder:
    """An `UpstreamClient` that answers everything and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> WholeReply:
        """Keep the request and answer it."""
        self.asked.append(request)
        return WholeReply()


class Bench:
    """What a gateway is built from. `told` lists the signals; `real` and `local` keep what they were asked."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.told: list[Signal] = []
        self.real, self.local = Recorder(), Recorder()
        self.sim = SimUpstream(clock, lambda: 0.5)
        circuits = LocalCircuits(Means(clock, lambda: 0.5, Announcer(self.told.append)))
        made = make_deps(self.real, self.local, self.told.append, clock=clock)
        self.deps = msgspec.structs.replace(made, sim=self.sim, chance=lambda: 0.5, circuits=circuits)

    def gateway(self, **sections: Any) -> Gateway:  # noqa: ANN401 - what pydantic takes
        """Build the gateway of these sections."""
        return build_gateway(loaded(**sections), self.deps)


def loaded(**sections: Any) -> Loaded:  # noqa: ANN401 - what pydantic takes
    """Return these sections as a configuration; `sim` is always there."""
    providers = {"sim": {"kind": "sim"}, **sections.pop("providers", {})}
    return Loaded(Settings(providers=providers, **sections), "a test", f"digest of {sorted(sections)}")


async def ask(gateway: Gateway, model: str, *, options: CallOptions | None = None, **fields: object) -> Reply:
    """Send a call through the pipeline."""
    return await gateway.handler(call(model, options=options, **fields))


def call(model: str, *, options: CallOptions | None = None, **fields: object) -> Call:
    """Return a call for a model."""
    return a_call(asking("a b c", model=model, **fields), options=options)

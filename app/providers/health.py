"""Health probes: a small real call to each provider at intervals, whole or streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from secrets import token_hex
from typing import Final

import msgspec

from app.core.call import Attempt, Call, CallOptions, Journal, Target
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, GatewayError
from app.core.health import Probing, ProviderHealth, Rota
from app.core.model import ChatFields, ChatRequest, Completion
from app.core.pipeline import Handler
from app.core.signals import Listener
from app.providers.background import Background

_ANSWER_TOKENS: Final = 8  # the smallest bound that every model accepts
_ALONE: Final = CallOptions(retry=False, fallback=False, caching=False)


class Prober:
    """
    Probes when `rota` gives it the turn, keeps the results in `health`, and reports changes to `listener`.
    """

    def __init__(self, health: ProviderHealth, clock: Clock, listener: Listener, rota: Rota) -> None:
        self._health = health
        self._rota = rota
        self._clock = clock
        self._listener = listener
        self._background = Background()

    def follow(self, probings: Iterable[Probing], make: Callable[[], Handler[Attempt]]) -> None:
        """Probe these providers from now on, through the handlers of `make`; forget all others."""
        wanted = tuple(probings)
        self._health.keep({probing.provider for probing in wanted})
        ask = make() if wanted else None
        self._background.run([self._watch(probing, ask) for probing in wanted if ask is not None])

    async def aclose(self) -> None:
        """Stop."""
        await self._background.aclose()

    async def _watch(self, probing: Probing, ask: Handler[Attempt]) -> None:
        while True:
            if await self._rota.mine(probing):
                await self._find_out(probing, ask)
            elif (heard := await self._rota.heard(probing)) is not None:
                self._health.adopt(probing, heard, self._clock.now(), self._listener)
            await self._clock.sleep(self._rota.pause_s(probing))

    async def _find_out(self, probing: Probing, ask: Handler[Attempt]) -> None:
        began = self._clock.now()
        error = await _failure(probing, ask, began)
        now = self._clock.now()
        self._health.note(probing, error, now - began, now, self._listener)
        checked = self._health.of(probing.provider)
        if checked is not None:
            await self._rota.tell(probing, checked)


async def _failure(probing: Probing, ask: Handler[Attempt], began: float) -> GatewayError | None:
    """Probe once, and return the failure."""
    try:
        async with asyncio.timeout(probing.timeout_s):
            await _ask(probing, ask, began)
    except TimeoutError:
        return GatewayError(TIMEOUT_TOTAL, f"No answer within {probing.timeout_s:g} s.")
    except GatewayError as error:
        return error
    return None


async def _ask(probing: Probing, ask: Handler[Attempt], began: float) -> None:
    target = Target(probing.provider, probing.model)
    call = Call(
        id=f"probe_{token_hex(12)}",
        endpoint="health",
        request=_request(target, stream=probing.stream),
        started=began,
        deadline=began + probing.timeout_s,
        options=_ALONE,
        headers=(),
        journal=Journal(),
    )
    reply = await ask(Attempt(call, target, last=True))
    if isinstance(reply.body, Completion):
        return
    async with aclosing(reply.body) as events:
        async for _ in events:
            continue


def _request(target: Target, *, stream: bool) -> ChatRequest:
    body = {
        "model": target.name,
        "messages": [{"role": "user", "content": "ping"}],
        "max_tokens": _ANSWER_TOKENS,
        "stream": stream,
    }
    raw = msgspec.json.encode(body)
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)

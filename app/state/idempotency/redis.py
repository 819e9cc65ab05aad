"""
Calls that repeat others, shared by replicas through Redis.

A claim lives for a few seconds and is renewed with each beat of the link while its call is in progress, so a dead
replica delays nobody for long. While Redis is out of reach each process uses its own memory (`fail: local`), treats
every call as new (`open`), or refuses (`closed`).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from app.core.idempotency import Answered, Busy, Claim, Different, Leading
from app.state.idempotency.memory import LocalRepeats
from app.state.link import Argument, Command, Fail, Follower, Link, StateLostError, decision, out_of_reach

CLAIM_S: Final = 6.0  # a dozen beats
_FIRST_LOOK_S, _LOOK_MAX_S, _DOUBLINGS_MAX = 0.05, 0.5, 8  # pauses between looks at a call of another replica
_UNSHARED: Final = Leading("", "")


class SharedRepeats(Follower):
    """The `Repeats` of one replica among several; follows `link`."""

    def __init__(self, link: Link, local: LocalRepeats, fail: Fail, claim_s: float = CLAIM_S) -> None:
        self._link = link
        self._prefix = link.key_prefix
        self._local = local
        self._fail = fail
        self._claim_ms = _ms(claim_s)
        self._held: dict[str, str] = {}
        link.follow(self)

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Ask Redis."""
        token = self._local.new_token()
        try:
            said, *answer = await self._asked("repeat_claim", name, fingerprint, token, self._claim_ms)
        except StateLostError as error:
            return await self._claim_alone(name, fingerprint, error)
        match said:
            case b"leading":
                self._held[name] = token
                return Leading(name, token)
            case b"answered":
                return msgspec.msgpack.decode(answer[0], type=Answered)
            case b"different":
                return Different()
            case _:
                return Busy(name)

    async def wait(self, busy: Busy, looks: int) -> None:
        """Wait until a call of this process ends; for a call of another one, wait a pause that grows."""
        await self._local.wait(busy, looks)
        await self._local.clock.sleep(min(_FIRST_LOOK_S * 2 ** min(looks, _DOUBLINGS_MAX), _LOOK_MAX_S))

    async def keep(self, leading: Leading, answered: Answered) -> None:
        """Store the answer in Redis, if possible."""
        if self._held.get(leading.name) != leading.token:
            await self._local.keep(leading, answered)
        elif answered.size > self._local.limits.entry_max_bytes:
            await self.give_up(leading)
        else:
            await self._release(leading, "keep", _ms(self._local.limits.ttl_s), msgspec.msgpack.encode(answered))

    async def give_up(self, leading: Leading) -> None:
        """Release the claim in Redis; otherwise it expires."""
        if self._held.get(leading.name) != leading.token:
            await self._local.give_up(leading)
        else:
            await self._release(leading, "drop", 0, b"")

    async def beat(self) -> None:
        """Renew the claims of this process's calls."""
        holding = [self._command("repeat_end", *held, "hold", self._claim_ms, b"") for held in self._held.items()]
        await asyncio.gather(*map(self._link.submit, holding))

    async def _claim_alone(self, name: str, fingerprint: bytes, error: StateLostError) -> Claim:
        match self._fail:
            case "local":
                return await self._local.claim(name, fingerprint)
            case "open":
                return _UNSHARED
            case "closed":
                raise out_of_reach("Idempotency keys are shared through") from error

    async def _release(self, leading: Leading, what: str, lasting_ms: int, packed: bytes) -> None:
        del self._held[leading.name]
        try:
            await self._asked("repeat_end", leading.name, leading.token, what, lasting_ms, packed)
        except StateLostError:
            return

    async def _asked(self, what: str, name: str, *arguments: Argument) -> Any:  # noqa: ANN401 - as redis-py hands it over
        return await self._link.decide(self._command(what, name, *arguments))

    def _command(self, what: str, name: str, *arguments: Argument) -> Command:
        return decision(what, (f"{{{self._prefix}:idem:{name}}}",), *arguments)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

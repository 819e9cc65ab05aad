"""Closed-loop load generator: each caller sends its next request when its answer is complete. Uses the pool client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.ports import HttpRequest, UpstreamClient, UpstreamReply

_CONNECT_S: Final = 10.0
_SUCCESS: Final = range(200, 300)
_EVENT, _LAST = b"data:", b"[DONE]"
_OVERHEAD: Final = "x-wizard-overhead-ms"


@dataclass(frozen=True, slots=True)
class Load:
    """
    The parameters of one run.

    No request starts after `duration_s`, or beyond `requests` if given; each may take `patience_s`.
    """

    url: str
    model: str
    prompt: str
    concurrency: int
    duration_s: float
    requests: int | None = None
    stream: bool = False
    max_tokens: int | None = None
    key: str = ""
    patience_s: float = 120.0

    def request(self) -> HttpRequest:
        """Return the request that every caller sends."""
        body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": self.prompt}]}
        if self.stream:
            body["stream"] = True
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        headers = [("content-type", "application/json")]
        if self.key:
            headers.append(("authorization", f"Bearer {self.key}"))
        return HttpRequest(
            "POST", f"{self.url}/chat/completions", tuple(headers), msgspec.json.encode(body), _CONNECT_S
        )


@dataclass(slots=True)
class Tally:
    """Raw results: latencies of successful answers, the overhead that a gateway reports, and failures by cause."""

    latency_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    overhead_ms: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    events: int = 0
    elapsed_s: float = 0.0


class Callers:
    """The callers of one run; `progress` is called with the completed fraction, 0 to 1."""

    def __init__(self, load: Load, client: UpstreamClient, clock: Clock, progress: Callable[[float], None]) -> None:
        self._load = load
        self._client = client
        self._clock = clock
        self._progress = progress
        self._request = load.request()
        self._begun = 0
        self._started_s = 0.0
        self.tally = Tally()

    async def run(self) -> Tally:
        """Run all callers until the end, and return the results."""
        self._started_s = self._clock.now()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._load.concurrency):
                group.create_task(self._caller())
        self.tally.elapsed_s = self._clock.now() - self._started_s
        return self.tally

    async def _caller(self) -> None:
        while self._takes_another():
            self._begun += 1
            began_s = self._clock.now()
            try:
                async with asyncio.timeout(self._load.patience_s):
                    await self._ask(began_s)
            except TimeoutError:
                self.tally.failures["no answer in time"] += 1
            except GatewayError as error:  # the pool client raises it for every transport failure
                self.tally.failures[error.kind.code] += 1

    def _takes_another(self) -> bool:
        elapsed_s = self._clock.now() - self._started_s
        if self._load.requests is not None:
            self._progress(self._begun / self._load.requests)
            return self._begun < self._load.requests
        self._progress(elapsed_s / self._load.duration_s)
        return elapsed_s < self._load.duration_s

    async def _ask(self, began_s: float) -> None:
        reply = await self._client.send(self._request)
        try:
            is_complete = await (self._streamed if self._load.stream else self._whole)(reply, began_s)
        finally:
            await reply.aclose()
        if reply.status not in _SUCCESS:
            self.tally.failures[f"status {reply.status}"] += 1
        elif not is_complete:
            self.tally.failures["incomplete"] += 1
        else:
            self.tally.latency_s.append(self._clock.now() - began_s)
            overhead = reply.headers.get(_OVERHEAD)
            if overhead is not None:
                self.tally.overhead_ms.append(float(overhead))

    async def _whole(self, reply: UpstreamReply, _began_s: float) -> bool:
        async for _ in reply.chunks():
            pass
        return True

    async def _streamed(self, reply: UpstreamReply, began_s: float) -> bool:
        """Read a stream; return whether it ended with `[DONE]`."""
        seen, rest, has_text = 0, b"", False
        async for chunk in reply.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if not line.startswith(_EVENT):
                    continue
                seen += 1
                if not has_text and _has_content(line):
                    has_text = True
                    self.tally.first_token_s.append(self._clock.now() - began_s)
                if line.endswith(_LAST):
                    self.tally.events += seen - 1
                    return True
        return False


def _has_content(line: bytes) -> bool:
    """Return whether an event carries a piece of the answer, and not only a role."""
    try:
        choices = msgspec.json.decode(line[len(_EVENT) :])["choices"]
        delta: dict[str, Any] = choices[0]["delta"]
    except (msgspec.DecodeError, KeyError, IndexError, TypeError):
        return False
    return any(value for name, value in delta.items() if name != "role")

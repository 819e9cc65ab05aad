"""
Affinity: send related calls to the same target while it is healthy and not overloaded, to use its prompt cache.

The target depends only on the call (rendezvous hashing, Thaler and Ravishankar 1998), so replicas agree without
communicating, and adding or removing a target moves only the calls assigned to it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.core.call import Call
from app.core.model import ChatRequest, Message
from app.core.routing.balancing import Strategy, Tools
from app.core.routing.candidates import Candidate

PREFIX_CHARS: Final = 4096  # about 1024 tokens, the least that the large providers keep in their prompt caches
CROWD: Final = 1.25  # times its share of what is in flight; the usual bound of consistent hashing with bounded loads
QUIET: Final = 3  # attempts in flight at one target are never too many, or a few parallel calls would be separated
POOR: Final = 0.7  # reliability: three of about ten recent attempts failed
TRIED: Final = 0.05  # of the calls of a poor target still go there, to detect its recovery
_DIGITS: Final = 52  # bits of a hash that a float between 0 and 1 can represent, plus half a step


class Affinity:
    """
    A strategy that keeps calls with the same key (session, user or prefix) together; others use `strategy`.

    Args:
        common: Returns the key of a call, if it has one; one of `COMMON`.

        strategy: Orders the targets of calls without a key.

        tools: As for every strategy.
    """

    def __init__(self, common: Callable[[Call], str | None], strategy: Strategy, tools: Tools) -> None:
        self._common = common
        self._strategy = strategy
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Rank the candidates by the call's key; unreliable and overloaded ones come last."""
        value = self._common(call)
        if not value:
            return self._strategy.order(candidates, call)
        ranked = rendezvous(value, candidates)
        loads = [self._tools.traffic.loads.seen(candidate.target.name) for candidate in ranked]
        in_flight = sum([load.in_flight for load in loads])
        share = in_flight / sum([candidate.weight for candidate in ranked])
        kept: list[Candidate] = []
        behind: list[Candidate] = []
        for candidate, load in zip(ranked, loads, strict=True):
            full = load.in_flight > max(QUIET, CROWD * share * candidate.weight)
            poor = load.reliability < POOR and self._tools.chance() >= TRIED
            (behind if full or poor else kept).append(candidate)
        return [*kept, *behind]


def rendezvous(value: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """
    Rank candidates for a value: deterministic, and over many values in proportion to the weights.

    Candidates are sorted by `-ln(hash) / weight`, as in the strategy `weighted`.
    """
    key = hashlib.blake2b(value.encode(), digest_size=32).digest()
    return sorted(candidates, key=lambda candidate: _draw(key, candidate))


def _draw(key: bytes, candidate: Candidate) -> float:
    digest = hashlib.blake2b(candidate.target.name.encode(), digest_size=8, key=key).digest()
    number = int.from_bytes(digest, "big") >> (64 - _DIGITS)
    return -math.log((number + 0.5) / 2**_DIGITS) / candidate.weight


def _session(call: Call) -> str | None:
    request = call.request
    cache_key = request.fields.prompt_cache_key if isinstance(request, ChatRequest) else None
    return call.options.session or cache_key or request.user


def _prefix(call: Call) -> str:
    """Return the conversation up to its first user message, which is the same in every turn."""
    request = call.request
    if not isinstance(request, ChatRequest):
        return "\0".join(request.text)[:PREFIX_CHARS]
    text = ""
    for message in request.fields.messages:
        text += "\0".join(_texts(message))
        if message.role == "user" or len(text) >= PREFIX_CHARS:
            break
    return text[:PREFIX_CHARS]


def _texts(message: Message) -> Iterator[str]:
    content = message.content
    for text in [content] if isinstance(content, str) else [part.text for part in content or ()]:
        if text:
            yield f"{message.role}:{text[:PREFIX_CHARS]}"


COMMON: Final[Mapping[str, Callable[[Call], str | None]]] = MappingProxyType(
    {"session": _session, "user": lambda call: call.request.user, "prefix": _prefix}
)

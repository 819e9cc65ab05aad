"""
How the targets of a route are put in order: one small object per strategy.

A strategy answers one question, which target first and which then, and keeps no books: what happened to earlier calls
stands in `Traffic`, which a stage writes. So whatever becomes of a call, streamed or not, it is counted in one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import msgspec

from app.core.call import Call
from app.core.clock import Clock
from app.core.ports import Chance
from app.core.routing.candidates import Candidate
from app.core.tokens import answer_tokens, prompt_of
from app.core.traffic.loads import UNKNOWN_S
from app.core.traffic.memory import Traffic

_ANSWER_TOKENS = 500  # of an answer whose length the request leaves open: about a page


class Tools(msgspec.Struct, frozen=True):
    """What a strategy is made from: the name of its route, and its only sources of time, chance and experience."""

    route: str
    clock: Clock
    chance: Chance
    traffic: Traffic


class Strategy(Protocol):
    """Puts the targets of one route in order, again for each call that reaches them."""

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Return `candidates`, at least one, in the order in which they are to be tried. May not wait."""


StrategyFactory: TypeAlias = Callable[[Tools], Strategy]


class Sequential:
    """From top to bottom, as configured."""

    def __init__(self, _tools: Tools) -> None:
        """Needs nothing."""

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Return the candidates as they are."""
        return candidates


class Weighted:
    """
    By chance, each place in proportion to the weights of those who have none yet.

    Every candidate draws `-ln(random) / weight`, the time of its first event at the rate `weight`; the earliest goes
    first (Efraimidis and Spirakis, 2006). Without memory, so that replicas need not agree.
    """

    def __init__(self, tools: Tools) -> None:
        self._chance = tools.chance

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Draw an order."""
        draws = [-math.log(1.0 - self._chance()) / candidate.weight for candidate in candidates]
        return _sorted(candidates, draws)


class RoundRobin:
    """Each in turn, the others behind it in a circle."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Begin one further than the last time."""
        first = self._tools.traffic.turn(self._tools.route) % len(candidates)
        return [*candidates[first:], *candidates[:first]]


class LeastBusy:
    """Fewest attempts in flight first, whatever route they came by; by chance among equals."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Sort by what is in flight."""
        loads, chance = self._tools.traffic.loads, self._tools.chance
        return _sorted(candidates, [loads.seen(candidate.target.name).in_flight + chance() for candidate in candidates])


class Latency:
    """
    The better of two taken by chance (power of two choices), then the others from best to worst.

    Better is a smaller peak-EWMA of the time to the first token (to the whole answer, if it is not streamed) times the
    attempts in flight. Always taking the best of all would send everybody to the same target at the same time.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Choose the first by chance and speed."""
        count, chance = len(candidates), self._tools.chance
        if count == 1:
            return candidates
        now = self._tools.clock.now()
        costs = [self._cost(candidate, call, now) for candidate in candidates]
        one = int(chance() * count)
        other = (one + 1 + int(chance() * (count - 1))) % count
        first = other if costs[other] < costs[one] else one
        costs[first] = -1.0
        return _sorted(candidates, costs)

    def _cost(self, candidate: Candidate, call: Call, now: float) -> float:
        load = self._tools.traffic.loads.seen(candidate.target.name)
        latency_s = load.latency_s(stream=call.request.stream, now=now)
        if latency_s is None:
            # One call finds out how fast it is; until it has, the target gets no crowd.
            return UNKNOWN_S * (load.in_flight + 1) if load.in_flight else 0.0
        return latency_s * (load.in_flight + 1)


class Cost:
    """Cheapest first, for the estimated length of this call; as configured among equals."""

    def __init__(self, _tools: Tools) -> None:
        """Needs nothing."""

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Sort by price; a candidate without one goes last."""
        prompt, answer = prompt_of(call), answer_tokens(call.request) or _ANSWER_TOKENS
        return _sorted(candidates, [_price(candidate, prompt, answer) for candidate in candidates])


class Guarded:
    """
    A strategy of somebody else, whose order is made complete.

    What it leaves out is tried last, as configured; what it repeats or makes up is not tried for it.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Return every candidate once."""
        left = list(candidates)
        ordered = []
        for candidate in self._strategy.order(tuple(candidates), call):
            if candidate in left:
                left.remove(candidate)
                ordered.append(candidate)
        return [*ordered, *left]


STRATEGIES: Final[Mapping[str, StrategyFactory]] = MappingProxyType(
    {
        "sequential": Sequential,
        "weighted": Weighted,
        "round_robin": RoundRobin,
        "least_busy": LeastBusy,
        "latency": Latency,
        "cost": Cost,
    }
)


def _sorted(candidates: Sequence[Candidate], keys: Sequence[float]) -> list[Candidate]:
    ranks = sorted(range(len(candidates)), key=keys.__getitem__)
    return [candidates[rank] for rank in ranks]


def _price(candidate: Candidate, prompt: int, answer: int) -> float:
    if candidate.input_usd_per_mtok is None or candidate.output_usd_per_mtok is None:
        return math.inf
    return prompt * candidate.input_usd_per_mtok + answer * candidate.output_usd_per_mtok

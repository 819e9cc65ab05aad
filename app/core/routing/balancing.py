"""
Load-balancing strategies: each orders the targets of a route.

A strategy has no state of its own: it reads `Traffic`, which a stage updates, so that every call is counted in one
place, streamed or not.
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

_ANSWER_TOKENS = 500  # assumed if the request does not limit the answer: about a page


class Tools(msgspec.Struct, frozen=True):
    """What a strategy is made from: the name of its route, and its only sources of time, randomness and statistics."""

    route: str
    clock: Clock
    chance: Chance
    traffic: Traffic


class Strategy(Protocol):
    """Orders the targets of one route, anew for each call that reaches them."""

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Return `candidates`, at least one, in the order in which they are to be tried. May not wait."""


StrategyFactory: TypeAlias = Callable[[Tools], Strategy]


class Sequential:
    """In the configured order."""

    def __init__(self, _tools: Tools) -> None:
        """Needs nothing."""

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Return the candidates as they are."""
        return candidates


class Weighted:
    """
    A weighted random order: each place is drawn in proportion to the weights of the remaining candidates.

    Candidates are sorted by `-ln(random) / weight` (Efraimidis and Spirakis, 2006). Stateless, so replicas need not
    agree.
    """

    def __init__(self, tools: Tools) -> None:
        self._chance = tools.chance

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Draw an order."""
        draws = [-math.log(1.0 - self._chance()) / candidate.weight for candidate in candidates]
        return _sorted(candidates, draws)


class RoundRobin:
    """Each target in turn, followed by the others in circular order."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Start one position after that of the last call."""
        first = self._tools.traffic.turn(self._tools.route) % len(candidates)
        return [*candidates[first:], *candidates[:first]]


class LeastBusy:
    """Fewest attempts in flight first, counting those of all routes; ties are broken at random."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Sort by the attempts in flight."""
        loads, chance = self._tools.traffic.loads, self._tools.chance
        return _sorted(candidates, [loads.seen(candidate.target.name).in_flight + chance() for candidate in candidates])


class Latency:
    """
    The better of two random candidates (power of two choices), then the others from best to worst.

    The cost is the peak-EWMA of the time to the first token (to the whole answer, if it is not streamed) times the
    attempts in flight. Always choosing the best of all would send all calls to the same target at the same time.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Choose the first of two at random, and sort the others by cost."""
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
            # One call measures the latency; until it has, the target should not get many.
            return UNKNOWN_S * (load.in_flight + 1) if load.in_flight else 0.0
        return latency_s * (load.in_flight + 1)


class Cost:
    """Cheapest first, for the estimated length of this call; ties keep the configured order."""

    def __init__(self, _tools: Tools) -> None:
        """Needs nothing."""

    def order(self, candidates: Sequence[Candidate], call: Call, /) -> Sequence[Candidate]:
        """Sort by price; a candidate without one goes last."""
        prompt, answer = prompt_of(call), answer_tokens(call.request) or _ANSWER_TOKENS
        return _sorted(candidates, [_price(candidate, prompt, answer) for candidate in candidates])


class Guarded:
    """
    A wrapper for custom strategies that makes their order complete.

    Candidates that it leaves out come last, in the configured order; duplicates and unknown ones are dropped.
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

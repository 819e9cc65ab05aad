"""A fallback stage that hedges, over targets that each follow a script of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import pytest

from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import GatewayError
from app.core.outcome import Outcome
from app.core.pipeline import Handler, Stage, compose, settle
from app.core.signals import HedgeEnded, HedgeStarted, Signal
from app.core.traffic.loads import Loads
from app.core.traffic.retry_budget import Share
from app.stages.fallback import Fallback
from app.stages.hedge import Hedge, HedgeOptions
from app.stages.measure import Measure
from app.stages.timeouts import TotalTimeout
from tests.support.calls import OTHER, TARGET, THIRD, Step, a_call, asking
from tests.support.virtual_time import VirtualClock

EAGER = HedgeOptions(percentile=0.95, min_s=0.5, max_s=2.0, targets=frozenset({TARGET, OTHER, THIRD}))
DELAY_S: Final = EAGER.max_s  # while nothing is known of the targets
NAMES: Final = (TARGET.name, OTHER.name)


class Told:
    """A stage that keeps what each target's finisher is told."""

    def __init__(self) -> None:
        self.outcomes: dict[Target, list[str]] = {}

    async def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        """Pass the attempt on."""

        def finish(outcome: Outcome) -> None:
            self.outcomes.setdefault(attempt.target, []).append(outcome.end.value)

        return await settle(attempt, proceed, finish)


class Bench:
    """
    Everything of one hedged route.

    `asked` lists when each target was asked, in seconds of the call; `refusing` are targets that may not be hedged to.
    """

    def __init__(
        self,
        scripts: Mapping[Target, Step],
        *,
        options: HedgeOptions = EAGER,
        ratio: float = 1.0,
        targets: Sequence[Target] | None = None,
        stream: bool = False,
    ) -> None:
        self.clock = VirtualClock()
        self.loads = Loads()
        self.signals: list[Signal] = []
        self.told = Told()
        self.asked: list[tuple[Target, float]] = []
        self.attempts: list[Attempt] = []
        self.refusing: set[Target] = set()
        self.call = a_call(asking(stream=stream))
        self._scripts = scripts
        order = tuple(scripts) if targets is None else targets
        hedge = Hedge({"fast": (options, Share(ratio))}, self.loads, self.clock, self.signals.append, self._may_hedge)
        stages: list[Stage[Attempt]] = [self.told, Measure(self.loads, self.clock, lambda _: None)]
        attempt = compose(stages, self._target)
        fallback = Fallback(lambda _: order, attempt, {"server_error", "network"}, self.signals.append, hedge)
        once: list[Stage[Call]] = [TotalTimeout()]
        self._handler = compose(once, fallback)

    @property
    def hedges(self) -> list[str]:
        """Return how each hedge ended, `started` for one that has not."""
        ended = [signal.outcome for signal in self.signals if isinstance(signal, HedgeEnded)]
        started = sum(isinstance(signal, HedgeStarted) for signal in self.signals)
        return [*ended, *["started"] * (started - len(ended))]

    @property
    def passed_s(self) -> float:
        """Return how much of the call's time has passed."""
        return self.clock.now() - self.call.started

    async def answer(self, call: Call | None = None) -> Reply:
        """Make a call that succeeds."""
        return await self._handler(self._fresh() if call is None else call)

    async def failure(self) -> GatewayError:
        """Make a call that fails, and return its failure."""
        with pytest.raises(GatewayError) as caught:
            await self.answer()
        return caught.value

    def learn(self, target: Target, seconds: float, count: int = 20) -> None:
        """Let a target have answered so fast so often."""
        for _ in range(count):
            self.loads.of(target.name).answered(seconds, stream=self.call.request.stream, now=self.clock.now())

    def _fresh(self) -> Call:
        now = self.clock.now()
        deadline = now + self.call.deadline - self.call.started
        self.call = msgspec.structs.replace(a_call(self.call.request, started=now), deadline=deadline)
        return self.call

    def _may_hedge(self, target: Target) -> bool:
        return target not in self.refusing

    async def _target(self, attempt: Attempt) -> Reply:
        self.asked.append((attempt.target, self.passed_s))
        self.attempts.append(attempt)
        journal, began = attempt.call.journal, self.clock.now()
        journal.attempts += 1
        try:
            return await self._scripts[attempt.target](attempt.call)
        finally:
            journal.upstream_s += self.clock.now() - began

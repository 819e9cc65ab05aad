"""
Hedging: ask a second target when the first is silent for longer than usual; the first to commit wins.

Not a stage of its own: it runs between the fallback stage and the attempts, and only decides how the first two attempts
of a call run. To the fallback stage, a hedged second target is the next one as usual; it has merely started early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType

import msgspec

from app.core.call import Attempt, Call, Journal, Reply, Target
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.model import Completion
from app.core.outcome import outlast
from app.core.pipeline import Handler
from app.core.routing.router import Targets
from app.core.signals import HedgeEnded, HedgeStarted, Listener
from app.core.traffic.loads import Loads
from app.core.traffic.retry_budget import Share

_BOTH = 2


class HedgeOptions(msgspec.Struct, frozen=True):
    """
    How one route hedges.

    The second target is asked when the first has been silent for as long as `percentile` (0 to 1) of its last answers
    took, but never before `min_s` nor after `max_s`, which also applies while there are too few measurements. Only one
    of `targets` may be the second: fallbacks are for failures.
    """

    percentile: float
    min_s: float
    max_s: float
    targets: frozenset[Target]


class Hedge:
    """
    Decide which calls may be hedged.

    Args:
        routes: By name, the options of each route that hedges, and its share of the calls, which outlives this.

        loads: The measured latencies of the targets.

        clock: Measures how long two attempts ran concurrently.

        listener: Notified of each hedge.

        may_hedge: Returns whether a target may be asked before its turn.
    """

    def __init__(
        self,
        routes: Mapping[str, tuple[HedgeOptions, Share]],
        loads: Loads,
        clock: Clock,
        listener: Listener,
        may_hedge: Callable[[Target], bool],
    ) -> None:
        self._routes = routes
        self._loads = loads
        self._may_hedge = may_hedge
        self.clock = clock
        self.listener = listener

    def __call__(self, call: Call, targets: Targets, proceed: Handler[Attempt], /) -> Race | None:
        """Return the race that runs this call's attempts instead of `proceed`; None if the call is not hedged."""
        route = self._routes.get(call.request.model)
        if route is None or not call.options.fallback or len(targets) == 1:
            return None
        route[1].deposit()
        return Race(self, call, targets, proceed)

    def delay_s(self, call: Call, first: Target) -> float:
        """Return after how many seconds of silence of the first target the second is asked."""
        options, _ = self._routes[call.request.model]
        usual_s = self._loads.seen(first.name).percentile_s(options.percentile, stream=call.request.stream)
        return options.max_s if usual_s is None else min(max(usual_s, options.min_s), options.max_s)

    def grants(self, call: Call, second: Target) -> bool:
        """Return whether `second` may be asked now, and if so charge the share of the call's route."""
        options, share = self._routes[call.request.model]
        return second in options.targets and self._may_hedge(second) and share.withdraw()


class _Side:
    """
    One of the two attempts, in a task of its own.

    It writes into a journal of its own, which is added to the call's at the end: the call's journal describes what the
    caller gets, and two concurrent attempts would contradict each other there.
    """

    def __init__(self, attempt: Attempt, proceed: Handler[Attempt]) -> None:
        self.target = attempt.target
        self.journal = Journal(cost=attempt.call.journal.cost, ahead=attempt.call.journal.ahead)
        call = msgspec.structs.replace(attempt.call, journal=self.journal)
        self.task = asyncio.ensure_future(proceed(Attempt(call, attempt.target, attempt.last)))

    @property
    def answered(self) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


class Race:
    """
    The attempts of one call, the second of which may begin before the first has ended.

    A context manager whose value is the handler for the attempts, in order. The first attempt returns the second one's
    answer if that commits earlier. Otherwise it ends as it would have alone; if it fails, the second attempt is the one
    that is running already. On exit both have ended, except for the answer that was returned.
    """

    def __init__(self, hedge: Hedge, call: Call, targets: Targets, proceed: Handler[Attempt]) -> None:
        self._hedge = hedge
        self._call = call
        self._targets = targets
        self._proceed = proceed
        self._first: _Side | None = None
        self._second: _Side | None = None
        self._joined = False  # the second attempt's turn has come
        self._winner: _Side | None = None
        self._overlap_s = 0.0

    async def __aenter__(self) -> Handler[Attempt]:
        """Return the handler."""
        return self._attempt

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the attempts that still run, and add the journals of both to the call's."""
        try:
            await self._dismiss([side for side in self._sides() if side is not self._winner], error)
        except asyncio.CancelledError as interruption:
            winner, self._winner = self._winner, None
            self._note(interruption)
            if winner is not None:
                await _discard(winner.task.result())
            raise
        self._note(error)

    async def _attempt(self, attempt: Attempt) -> Reply:
        """Run the attempts of the call, which come in order."""
        if self._first is None:
            self._first = _Side(attempt, self._proceed)
            return await self._open(self._first)
        if self._second is None or self._joined:
            return await self._proceed(attempt)
        self._joined = True
        return await self._answer(self._second)

    async def _open(self, first: _Side) -> Reply:
        """Wait for the first attempt, and start the second one after the delay."""
        delay_s = self._hedge.delay_s(self._call, first.target)
        await asyncio.wait([first.task], timeout=delay_s)
        if not first.task.done() and self._hedge.grants(self._call, self._targets[1]):
            second = self._begin_second(first.target, delay_s)
            began = self._hedge.clock.now()
            try:
                await asyncio.wait([first.task, second.task], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._overlap_s = self._hedge.clock.now() - began
            if second.answered and not first.task.done():
                self._call.journal.position, self._call.journal.target = 1, second.target
                return await self._answer(second)
        return await self._answer(first)

    def _begin_second(self, origin: Target, delay_s: float) -> _Side:
        onward = self._targets[1]
        attempt = Attempt(self._call, onward, last=len(self._targets) == _BOTH)
        self._second = second = _Side(attempt, self._proceed)
        self._hedge.listener(HedgeStarted(self._call.id, origin.name, onward.name, delay_s))
        return second

    async def _answer(self, side: _Side) -> Reply:
        reply = await side.task
        self._winner = side
        return reply

    async def _dismiss(self, losers: list[_Side], raised: BaseException | None) -> None:
        """End `losers`, including all their finishers, even if this task is cancelled meanwhile."""
        if not losers:
            return
        task = asyncio.ensure_future(_end([side.task for side in losers], raised))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await outlast(task)
            raise

    def _note(self, error: BaseException | None) -> None:
        """Add the journals of both to the call's; time in which both waited for their provider counts once."""
        journal, sides = self._call.journal, self._sides()
        for side in sides:
            journal.attempts += side.journal.attempts
            journal.upstream_s += side.journal.upstream_s
            journal.retries_spent |= side.journal.retries_spent
            journal.limits += side.journal.limits
        first, second, self._first, self._second = self._first, self._second, None, None
        if first is None or second is None:
            return
        journal.upstream_s -= min(self._overlap_s, second.journal.upstream_s)
        if self._winner is not None:
            journal.hedge = "won" if self._winner is second else "lost"
        ended = "abandoned" if isinstance(error, asyncio.CancelledError) else "failed"
        outcome = journal.hedge or ended
        self._hedge.listener(HedgeEnded(self._call.id, first.target.name, second.target.name, outcome))

    def _sides(self) -> list[_Side]:
        return [side for side in (self._first, self._second) if side is not None]


async def _end(tasks: list[asyncio.Future[Reply]], raised: BaseException | None) -> None:
    """Cancel attempts and close their unused answers; report unexpected exceptions other than `raised` to the loop."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if task.cancelled():
            continue
        failure = task.exception()
        if failure is None:
            await _discard(task.result())
        elif failure is not raised and not isinstance(failure, GatewayError):
            context = {"message": "an attempt that lost to another one failed", "exception": failure}
            asyncio.get_running_loop().call_exception_handler(context)


async def _discard(reply: Reply) -> None:
    if not isinstance(reply.body, Completion):
        await reply.body.aclose()

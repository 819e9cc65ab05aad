"""
Go on with an answer that broke off after the client had seen a part of it (opt-in by route).

Right around the fallback stage, and the only place that replaces one stream by another: the next target is shown what
was said so far and asked for the rest. To the stages around this one it stays one stream. To those of the attempts they
are two: the first has failed, which its circuit, its bulkhead and the ledger are told, and the second is an attempt
like any other.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import msgspec

from app.core.call import Attempt, Call, Recovered, Reply, Target, Tried
from app.core.errors import BAD_UPSTREAM_REPLY, Blame, GatewayError
from app.core.model import ChatRequest, Completion
from app.core.pipeline import Handler
from app.core.recovery.continuing import Continues, continued, may_be_continued
from app.core.recovery.relaying import Relay, Shown
from app.core.recovery.splicing import Splice
from app.core.routing.router import Targets
from app.core.signals import Listener, StreamNotRecovered, StreamRecovered
from app.core.stream import EVENTS, Batch, EventStream
from app.core.time_limit import TimeLimit
from app.core.tokens import prompt_tokens


class Recover:
    """
    Continue the streams of routes that want it.

    Args:
        most: How often a stream of a model may be continued; 0 for those that are not.

        targets: The targets of a call, as the fallback stage knows them.

        continues: How a target is asked to go on with a text; None if it cannot.

        attempt: The handler of one attempt.

        listener: Told of each answer that was continued, or could not be.
    """

    def __init__(
        self,
        most: Callable[[str], int],
        targets: Callable[[Call], Targets],
        continues: Callable[[Target], Continues | None],
        attempt: Handler[Attempt],
        listener: Listener,
    ) -> None:
        self._most = most
        self.targets = targets
        self.continues = continues
        self.attempt = attempt
        self.listener = listener

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Return the answer; a stream that breaks off goes on with the next target, or fails as it would have."""
        most = self._most(call.request.model) if call.options.fallback else 0
        request = call.request
        if not most or not isinstance(request, ChatRequest) or not may_be_continued(request):
            return proceed(call)
        return self._followed(call, request, most, proceed)

    async def _followed(self, call: Call, request: ChatRequest, most: int, proceed: Handler[Call]) -> Reply:
        reply = await proceed(call)
        if isinstance(reply.body, Completion) or reply.body.media_type != EVENTS:
            return reply
        line = _Line(self, call, request, reply.body, most)
        return Reply(EventStream(line.read(), line.release))


class _Line:
    """One answer: the stream that brings it now, and what the client has seen of all of them."""

    def __init__(self, stage: Recover, call: Call, request: ChatRequest, stream: EventStream, most: int) -> None:
        self._stage = stage
        self._call = call
        self._request = request
        self._asked = request  # last
        self._stream = stream
        self._left = most
        self._shown = Shown()
        self._break: _Break | None = None  # over which nobody has come yet
        self._splice: Splice | None = None
        self._relay: Relay | None = None

    async def read(self) -> AsyncGenerator[Batch, None]:
        """Yield what the client sees of each batch, which may be nothing."""
        while True:
            try:
                async for batch in self._stream:
                    yield self._told(batch)
            except GatewayError as error:
                await self._stream.aclose()  # one that began anew still runs
                await self._resume(error)
            else:
                return

    def release(self) -> Awaitable[None]:
        """End the stream that was read last; also one that nobody began to read."""
        return self._stream.aclose()

    def _told(self, batch: Batch) -> Batch:
        told = batch if self._relay is None else self._relay(batch)
        if self._splice is not None and self._splice.restarted:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider began the answer anew instead of going on with it.")
        if told and self._break is not None:
            self._cross(self._break)
        return self._shown.see(told)

    def _cross(self, broken: _Break) -> None:
        """Take note that the answer really goes on."""
        journal, seam = self._call.journal, broken.seam(self._call)
        self._break = None
        self._left -= 1
        journal.recovered = (*journal.recovered, seam)
        self._stage.listener(StreamRecovered(self._call.id, seam.origin, seam.onward, seam.code, seam.chars))

    async def _resume(self, error: GatewayError) -> None:
        """
        Let the next target go on.

        Raises:
            GatewayError: What ended the stream, if nobody does.
        """
        journal = self._call.journal
        target = journal.target
        if target is None or (self._break is None and error.kind.blame is not Blame.TARGET):
            raise error
        broken = self._break or _Break(target, journal.position, error, len(self._shown.text))
        reason = self._unfit()
        if reason is None:
            self._break = broken
            journal.tried.append(Tried(target, error.kind.code))
            self._shown.settle(prompt_tokens(self._asked))
            able = self._able()
            if await self._find(able, broken):
                return
            reason = "failed" if able or target is not broken.target else "unable"
        journal.target, journal.position = broken.target, broken.position
        self._stage.listener(StreamNotRecovered(self._call.id, broken.target.name, broken.error.kind.code, reason))
        raise broken.error

    def _unfit(self) -> str | None:
        if not self._shown.can_go_on:
            return "unfit"
        return None if self._left else "spent"

    def _able(self) -> Sequence[tuple[Target, Continues]]:
        """Return the targets that were not tried yet and can go on, in order."""
        targets = self._stage.targets(self._call)
        tried = {each.target for each in self._call.journal.tried}
        fresh = [target for target in map(targets.__getitem__, range(len(targets))) if target not in tried]
        return [(target, how) for target in fresh if (how := self._stage.continues(target)) is not None]

    async def _find(self, able: Sequence[tuple[Target, Continues]], broken: _Break) -> bool:
        """Ask one target after the other, and say whether one goes on; a refusal of one says nothing of the next."""
        journal = self._call.journal
        for index, (target, how) in enumerate(able):
            splice = Splice(self._shown.text)
            journal.position, journal.target = len(journal.tried), target
            self._asked = continued(self._request, splice.sent, how)
            call = msgspec.structs.replace(self._call, request=self._asked)
            try:
                stream = await self._ask(Attempt(call, target, last=index == len(able) - 1))
            except GatewayError as failure:
                journal.tried.append(Tried(target, failure.kind.code))
                continue
            if stream is None:
                return False
            self._stream, self._splice = stream, splice
            self._relay = Relay(splice, self._shown, (*journal.recovered, broken.seam(self._call)))
            return True
        return False

    async def _ask(self, attempt: Attempt) -> EventStream | None:
        """Return the stream of one attempt; None if the call's time is over."""
        limit = TimeLimit(attempt.call.deadline)
        try:
            with limit:
                reply = await self._stage.attempt(attempt)
        except TimeoutError:
            if not limit.expired:
                raise
            return None
        return None if isinstance(reply.body, Completion) else reply.body


class _Break(msgspec.Struct, frozen=True):
    """Where an answer broke off: at whom, which target of the call that was, why, and after how many characters."""

    target: Target
    position: int
    error: GatewayError
    chars: int

    def seam(self, call: Call) -> Recovered:
        """Return it as one that is crossed by the target that the call is at now."""
        onward = call.journal.target
        return Recovered(self.target.name, "" if onward is None else onward.name, self.error.kind.code, self.chars)

"""
Continue an answer that broke off after the client had received a part of it (opt-in by route).

Directly around the fallback stage, and the only place that replaces one stream by another: the next target gets the
text so far and is asked for the rest. To the outer stages it stays one stream. To the stages of attempts it is two: the
first has failed, and counts so for its circuit, its bulkhead and the ledger; the second is an attempt like any other.
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
    Continue the streams of routes that opted in.

    Args:
        most: How often a stream of a model may be continued; 0 for never.

        targets: The targets of a call, as the fallback stage has them.

        continues: How a target is asked to continue a text; None if it cannot.

        attempt: The handler of one attempt.

        listener: Notified of each answer that was continued, or could not be.
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
        """Return the answer; a stream that breaks off is continued by the next target, or fails with its own error."""
        most = self._most(call.request.model) if call.options.fallback else 0
        request = call.request
        if not most or not isinstance(request, ChatRequest) or not may_be_continued(request):
            return proceed(call)
        return self._recoverable(call, request, most, proceed)

    async def _recoverable(self, call: Call, request: ChatRequest, most: int, proceed: Handler[Call]) -> Reply:
        reply = await proceed(call)
        if isinstance(reply.body, Completion) or reply.body.media_type != EVENTS:
            return reply
        line = _Line(self, call, request, reply.body, most)
        return Reply(EventStream(line.read(), line.release))


class _Line:
    """One answer: its current stream, and what the client has received from all of its streams."""

    def __init__(self, stage: Recover, call: Call, request: ChatRequest, stream: EventStream, most: int) -> None:
        self._stage = stage
        self._call = call
        self._request = request
        self._last_request = request
        self._stream = stream
        self._left = most
        self._shown = Shown()
        self._break: _Break | None = None  # not continued yet
        self._splice: Splice | None = None
        self._relay: Relay | None = None

    async def read(self) -> AsyncGenerator[Batch, None]:
        """Yield the part of each batch that is for the client, which may be empty."""
        while True:
            try:
                async for batch in self._stream:
                    yield self._relayed(batch)
            except GatewayError as error:
                await self._stream.aclose()  # one whose target restarted the answer still runs
                await self._resume(error)
            else:
                return

    def release(self) -> Awaitable[None]:
        """Close the current stream, even if it was never read."""
        return self._stream.aclose()

    def _relayed(self, batch: Batch) -> Batch:
        relayed = batch if self._relay is None else self._relay(batch)
        if self._splice is not None and self._splice.restarted:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider began the answer anew instead of going on with it.")
        if relayed and self._break is not None:
            self._cross(self._break)
        return self._shown.see(relayed)

    def _cross(self, broken: _Break) -> None:
        """Record and report that the answer goes on: the next target has sent a part of the rest."""
        journal, seam = self._call.journal, broken.seam(self._call)
        self._break = None
        self._left -= 1
        journal.recovered = (*journal.recovered, seam)
        self._stage.listener(StreamRecovered(self._call.id, seam.origin, seam.onward, seam.code, seam.chars))

    async def _resume(self, error: GatewayError) -> None:
        """
        Continue the answer with the next target.

        Raises:
            GatewayError: The failure that ended the stream, if no target continues it.
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
            self._shown.settle(prompt_tokens(self._last_request))
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
        """Return the targets that were not tried yet and can continue a text, in order."""
        targets = self._stage.targets(self._call)
        tried = {each.target for each in self._call.journal.tried}
        fresh = [target for target in map(targets.__getitem__, range(len(targets))) if target not in tried]
        return [(target, how) for target in fresh if (how := self._stage.continues(target)) is not None]

    async def _find(self, able: Sequence[tuple[Target, Continues]], broken: _Break) -> bool:
        """Ask one target after another, whatever the last one failed with; return whether one continues the answer."""
        journal = self._call.journal
        for index, (target, how) in enumerate(able):
            splice = Splice(self._shown.text)
            journal.position, journal.target = len(journal.tried), target
            self._last_request = continued(self._request, splice.sent, how)
            call = msgspec.structs.replace(self._call, request=self._last_request)
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
        """Return the stream of one attempt; None if the call's deadline has passed, or the answer is no stream."""
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
    """Where an answer broke off: its target and that one's position in the call, the error, and the characters sent."""

    target: Target
    position: int
    error: GatewayError
    chars: int

    def seam(self, call: Call) -> Recovered:
        """Return the record of its recovery by the call's current target."""
        onward = call.journal.target
        return Recovered(self.target.name, "" if onward is None else onward.name, self.error.kind.code, self.chars)

"""
Run the guards: check each call's prompt before it goes anywhere, and its answer before it is complete.

Outside of redaction, caching and sending: guards see the texts that the caller sends and gets, answers from the cache
are checked like any other, and the calls by which guards ask a model pass through all of these stages themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NoReturn

import msgspec

from app.core.call import Call, CallOptions, Journal, Reply
from app.core.errors import BAD_UPSTREAM_REPLY, CONTENT_BLOCKED, GatewayError
from app.core.guards.guard import Ask, Complaint, Guard, Policy, Prompt, Said
from app.core.guards.seen import Transcript, prompt_of, said_in
from app.core.guards.watching import Sharp, Watch
from app.core.model import ChatRequest, Completion, Operation, PlainRequest, StreamEvent
from app.core.per_route import PerRoute
from app.core.pipeline import Handler
from app.core.redaction.answers import AnswerFormat, RewriteEvents
from app.core.redaction.editing import Plain
from app.core.signals import GuardComplained, Listener
from app.core.stream import Batch, EventStream

NOTE = "x-wizard-guard"


class Rule(msgspec.Struct, frozen=True):
    """
    A guard, and the policy for its complaints.

    An answer that it rejects is requested again up to `retries` times.
    """

    guard: Guard
    policy: Policy
    retries: int = 0


class Rules(msgspec.Struct, frozen=True):
    """
    The guards of one route.

    `prompts` and `answers` are checked by these guards, in this order; `sharp` guards, which block, watch streams
    while they pass. With `hold`, a stream is checked before any of it is sent.
    """

    prompts: tuple[Rule, ...] = ()
    answers: tuple[Rule, ...] = ()
    sharp: tuple[Sharp, ...] = ()
    hold: bool = False


class Guards:
    """
    Apply the guards of each call's route.

    Args:
        rules: The rules of each route; None for a route without guards.

        listener: Notified of every complaint.
    """

    def __init__(self, rules: PerRoute[Rules | None], listener: Listener) -> None:
        self._rules = rules
        self._listener = listener

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Pass on a call that no guard blocks.

        Raises:
            GatewayError: CONTENT_BLOCKED, or the error of a guard that is required and gave no verdict.
        """
        rules = self._rules.of(call.request.model)
        if rules is None:
            return await proceed(call)
        guarded = _GuardedCall(call, rules, proceed, self._listener)
        await guarded.check_prompt()
        return await guarded.answer(call)


class _GuardedCall:
    """One call and its guards."""

    def __init__(self, call: Call, rules: Rules, proceed: Handler[Call], listener: Listener) -> None:
        self._call = call
        self._rules = rules
        self._proceed = proceed
        self._listener = listener
        self._prompt: Prompt = prompt_of(call.request, call.caller.name)
        self._ask: Ask = self._ask_model
        self._chat = isinstance(call.request, ChatRequest)

    async def check_prompt(self) -> None:
        """Run the guards of prompts until one blocks."""
        for rule in self._rules.prompts:
            complaint = await rule.guard.check_prompt(self._prompt, self._ask)
            if complaint is not None:
                self._complain(rule.guard.name, rule.policy, "prompt", complaint)

    async def answer(self, call: Call) -> Reply:
        """Return an answer that no guard blocks; where a guard may retry, nothing is sent before the check."""
        rules = self._rules
        left = max([rule.retries for rule in rules.answers], default=0)
        while True:
            reply = await self._proceed(call)
            if not rules.answers or call.request.operation is Operation.SPEECH:  # nothing to check, or audio
                return reply
            if isinstance(reply.body, EventStream) and not rules.hold:
                return self._watched(reply.body)
            reply, said = await _read(reply, chat=self._chat)
            if await self._accepts(said, may_retry=left > 0):
                return reply
            left -= 1
            call = msgspec.structs.replace(call, options=_again(self._call.options, left))

    async def _accepts(self, said: Said, *, may_retry: bool) -> bool:
        """Run the guards of answers; return whether the answer is accepted (False: request another one)."""
        for rule in self._rules.answers:
            complaint = await rule.guard.check_answer(said, self._prompt, self._ask)
            if complaint is None:
                continue
            if may_retry and rule.retries:
                self._report(rule.guard.name, "answer", "retry", complaint)
                return False
            self._complain(rule.guard.name, rule.policy, "answer", complaint)
        return True

    def _watched(self, stream: EventStream) -> Reply:
        """Return a stream that is checked at its end, and by sharp guards while it passes."""
        if self._rules.sharp:
            form = AnswerFormat(chat=self._chat)
            stream.transform(RewriteEvents(lambda _json: Plain(Watch(self._rules.sharp, self._block)), form))
        return Reply(EventStream(self._checked(stream), stream.aclose))

    async def _checked(self, stream: EventStream) -> AsyncGenerator[Batch, None]:
        """Pass batches on, but hold those that finish the answer until it has been checked."""
        transcript = Transcript()
        held: list[Batch] = []
        async for batch in stream:
            transcript.hear(batch)
            if held or any(map(_finishes, batch)):
                held.append(batch)
            else:
                yield batch
        await self._accepts(transcript.said(), may_retry=False)
        for batch in held:
            yield batch

    async def _ask_model(self, request: PlainRequest) -> Completion:
        """Send a guard's request to a model on behalf of the caller, and return the answer."""
        options = CallOptions(priority=self._call.options.priority)
        reply = await self._proceed(
            msgspec.structs.replace(self._call, request=request, options=options, journal=Journal())
        )
        if isinstance(reply.body, EventStream):
            await reply.body.aclose()
            raise GatewayError(BAD_UPSTREAM_REPLY, "The model that a guard asked answered with a stream.")
        return reply.body

    def _block(self, name: str) -> NoReturn:
        self._report(name, "answer", Policy.BLOCK.value, Complaint("spotted"))
        raise _refusal(name, None)

    def _complain(self, name: str, policy: Policy, side: str, complaint: Complaint) -> None:
        self._report(name, side, policy.value, complaint)
        if policy is Policy.OBSERVE:
            return
        notes = self._call.journal.notes
        names = dict.fromkeys([*filter(None, notes.get(NOTE, "").split(",")), name])
        notes[NOTE] = ",".join(names)
        if policy is Policy.BLOCK:
            raise _refusal(name, complaint.where)

    def _report(self, name: str, side: str, action: str, complaint: Complaint) -> None:
        self._listener(GuardComplained(self._call.id, name, side, action, complaint.reason, complaint.score))


def _again(options: CallOptions, left: int) -> CallOptions:
    """Return the options of another try; its idempotency key is new, and the same if the client repeats the call."""
    key = options.idempotency_key
    return msgspec.structs.replace(
        options, caching=False, idempotency_key=None if key is None else f"{key}\n{left} left"
    )


def _refusal(name: str, where: str | None) -> GatewayError:
    what = "The answer" if where is None else "The request"
    return GatewayError(CONTENT_BLOCKED, f"{what} is refused by the guard {name!r}.", param=where)


async def _read(reply: Reply, *, chat: bool) -> tuple[Reply, Said]:
    """Return the reply and its texts; a stream is read to its end for that, and replayed from memory."""
    body = reply.body
    if isinstance(body, Completion):
        try:
            return reply, said_in(body, chat=chat)
        except msgspec.DecodeError as error:
            raise GatewayError(
                BAD_UPSTREAM_REPLY, "The provider's answer has a form that no guard can judge."
            ) from error
    transcript = Transcript()
    batches: list[Batch] = []
    async for batch in body:
        transcript.hear(batch)
        batches.append(batch)
    return Reply(EventStream(_replayed(batches), _nothing)), transcript.said()


async def _replayed(batches: Sequence[Batch]) -> AsyncGenerator[Batch, None]:
    for batch in batches:
        yield batch


def _nothing() -> None:
    return None


def _finishes(event: StreamEvent) -> bool:
    """Return whether a client would consider the answer complete with this event."""
    chunk = event.chunk
    return event.done or (chunk is not None and any(choice.finish_reason for choice in chunk.choices))

"""
Let guards judge each call's prompt before it goes anywhere, and its answer before it is over.

Outside of everything that redacts, caches or sends: so they see what the caller says and is told, an answer from a
cache is judged like any other, and what they ask a model about passes through all of that itself.
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
    A guard, and what becomes of its complaints.

    An answer that it complains of is asked for again up to `retries` times.
    """

    guard: Guard
    policy: Policy
    retries: int = 0


class Rules(msgspec.Struct, frozen=True):
    """
    What is done in one route.

    `prompts` and `answers` are judged by these guards, in this order; `sharp` ones, which block, watch streams while
    they pass. With `hold` a stream is judged before any of it is shown.
    """

    prompts: tuple[Rule, ...] = ()
    answers: tuple[Rule, ...] = ()
    sharp: tuple[Sharp, ...] = ()
    hold: bool = False


class Guards:
    """
    Apply the rules of each call's route; None leaves its calls alone.

    Args:
        rules: Those of each route.

        listener: Told of every complaint.
    """

    def __init__(self, rules: PerRoute[Rules | None], listener: Listener) -> None:
        self._rules = rules
        self._listener = listener

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Pass on a call that no guard blocks.

        Raises:
            GatewayError: CONTENT_BLOCKED, or what a guard raises that had to be asked and gave no answer.
        """
        rules = self._rules.of(call.request.model)
        if rules is None:
            return await proceed(call)
        trial = _Trial(call, rules, proceed, self._listener)
        await trial.judge_prompt()
        return await trial.answer(call)


class _Trial:
    """One call before its guards."""

    def __init__(self, call: Call, rules: Rules, proceed: Handler[Call], listener: Listener) -> None:
        self._call = call
        self._rules = rules
        self._proceed = proceed
        self._listener = listener
        self._prompt: Prompt = prompt_of(call.request, call.caller.name)
        self._ask: Ask = self._asked
        self._chat = isinstance(call.request, ChatRequest)

    async def judge_prompt(self) -> None:
        """Let the guards of prompts judge, until one blocks."""
        for rule in self._rules.prompts:
            complaint = await rule.guard.check_prompt(self._prompt, self._ask)
            if complaint is not None:
                self._complain(rule.guard.name, rule.policy, "prompt", complaint)

    async def answer(self, call: Call) -> Reply:
        """Return an answer that no guard blocks; one that some may ask for again is not shown before they judged."""
        rules = self._rules
        left = max([rule.retries for rule in rules.answers], default=0)
        while True:
            reply = await self._proceed(call)
            if (
                not rules.answers or call.request.operation is Operation.SPEECH
            ):  # there is nothing to judge, or it is sound
                return reply
            if isinstance(reply.body, EventStream) and not rules.hold:
                return self._watched(reply.body)
            reply, said = await _heard(reply, chat=self._chat)
            if await self._accepts(said, may_retry=left > 0):
                return reply
            left -= 1
            call = msgspec.structs.replace(call, options=_again(self._call.options, left))

    async def _accepts(self, said: Said, *, may_retry: bool) -> bool:
        """Let the guards of answers judge, and say whether the answer is the one; False asks for another."""
        for rule in self._rules.answers:
            complaint = await rule.guard.check_answer(said, self._prompt, self._ask)
            if complaint is None:
                continue
            if may_retry and rule.retries:
                self._tell(rule.guard.name, "answer", "retry", complaint)
                return False
            self._complain(rule.guard.name, rule.policy, "answer", complaint)
        return True

    def _watched(self, stream: EventStream) -> Reply:
        """Return a stream that is judged at its end, and by some guards while it passes."""
        if self._rules.sharp:
            form = AnswerFormat(chat=self._chat)
            stream.transform(RewriteEvents(lambda _json: Plain(Watch(self._rules.sharp, self._object)), form))
        return Reply(EventStream(self._judged(stream), stream.aclose))

    async def _judged(self, stream: EventStream) -> AsyncGenerator[Batch, None]:
        """Pass on what comes, but nothing that finishes the answer before it was judged."""
        listening = Transcript()
        held: list[Batch] = []
        async for batch in stream:
            listening.hear(batch)
            if held or any(map(_finishes, batch)):
                held.append(batch)
            else:
                yield batch
        await self._accepts(listening.said(), may_retry=False)
        for batch in held:
            yield batch

    async def _asked(self, request: PlainRequest) -> Completion:
        """Ask a model in the name of the caller, and return its answer."""
        options = CallOptions(priority=self._call.options.priority)
        reply = await self._proceed(
            msgspec.structs.replace(self._call, request=request, options=options, journal=Journal())
        )
        if isinstance(reply.body, EventStream):
            await reply.body.aclose()
            raise GatewayError(BAD_UPSTREAM_REPLY, "The model that a guard asked answered with a stream.")
        return reply.body

    def _object(self, name: str) -> NoReturn:
        self._tell(name, "answer", Policy.BLOCK.value, Complaint("spotted"))
        raise _refusal(name, None)

    def _complain(self, name: str, policy: Policy, side: str, complaint: Complaint) -> None:
        self._tell(name, side, policy.value, complaint)
        if policy is Policy.OBSERVE:
            return
        notes = self._call.journal.notes
        names = dict.fromkeys([*filter(None, notes.get(NOTE, "").split(",")), name])
        notes[NOTE] = ",".join(names)
        if policy is Policy.BLOCK:
            raise _refusal(name, complaint.where)

    def _tell(self, name: str, side: str, action: str, complaint: Complaint) -> None:
        self._listener(GuardComplained(self._call.id, name, side, action, complaint.reason, complaint.score))


def _again(options: CallOptions, left: int) -> CallOptions:
    """Return the options of another try: a call of its own, but the same one again if the client repeats its call."""
    key = options.idempotency_key
    return msgspec.structs.replace(
        options, caching=False, idempotency_key=None if key is None else f"{key}\n{left} left"
    )


def _refusal(name: str, where: str | None) -> GatewayError:
    what = "The answer" if where is None else "The request"
    return GatewayError(CONTENT_BLOCKED, f"{what} is refused by the guard {name!r}.", param=where)


async def _heard(reply: Reply, *, chat: bool) -> tuple[Reply, Said]:
    """Return what an answer says; a stream is read to its end for that, and goes out from memory."""
    body = reply.body
    if isinstance(body, Completion):
        try:
            return reply, said_in(body, chat=chat)
        except msgspec.DecodeError as error:
            raise GatewayError(
                BAD_UPSTREAM_REPLY, "The provider's answer has a form that no guard can judge."
            ) from error
    listening = Transcript()
    batches: list[Batch] = []
    async for batch in body:
        listening.hear(batch)
        batches.append(batch)
    return Reply(EventStream(_replayed(batches), _nothing)), listening.said()


async def _replayed(batches: Sequence[Batch]) -> AsyncGenerator[Batch, None]:
    for batch in batches:
        yield batch


def _nothing() -> None:
    return None


def _finishes(event: StreamEvent) -> bool:
    """Say whether a client would take the answer for complete with this event."""
    chunk = event.chunk
    return event.done or (chunk is not None and any(choice.finish_reason for choice in chunk.choices))

"""Reserves what a call needs in its rate limit buckets before it proceeds, and settles the reservation at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn, TypeVar

import msgspec

from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import CONTEXT_TOO_LONG, INVALID_REQUEST, RATE_LIMITED, TIMEOUT_CONNECT, GatewayError, Kind
from app.core.gcra import US_PER_S
from app.core.model import ChatRequest, Completion, Request
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.ports import Limits, Tokenizer
from app.core.rules import NEVER, Ask, Decision, Measure, Rule, Standing, with_prompt
from app.core.signals import LimitExceeded, Listener
from app.core.stream import Batch
from app.core.tokens import family_of, prompt_parts
from app.core.usage import Usage

T = TypeVar("T", Call, Attempt)
CHARS_PER_TOKEN: Final = 4  # estimate for answers without usage, for example those that broke off
_CACHED: Final = frozenset({"hit", "coalesced"})  # the answer to another call: this one used no tokens
_ENVELOPE_BYTES: Final = 300  # of JSON around the text of a whole answer
_WINDOWS: Final[Mapping[float, str]] = MappingProxyType({1: "second", 60: "minute", 3600: "hour", 86_400: "day"})


class Limiter:
    """Enforces rate limits; shared by the stage for calls and the stage for attempts."""

    def __init__(self, limits: Limits, listener: Listener, tokenizer: Tokenizer | None = None) -> None:
        self._limits = limits
        self._listener = listener
        self._tokenizer = tokenizer

    async def run(self, subject: T, proceed: Handler[T], ask: Ask) -> Reply:
        """
        Proceed with a call, or an attempt, if all of `ask` is granted.

        Raises:
            GatewayError: RATE_LIMITED, or if waiting would not help INVALID_REQUEST (of an attempt: CONTEXT_TOO_LONG,
                since another target may accept the prompt); STATE_UNAVAILABLE.
        """
        call, target = (subject, None) if isinstance(subject, Call) else (subject.call, subject.target)  # type: ignore[redundant-expr] # mypy takes one type of T at a time
        decision = await self._limits.acquire(ask)
        if not decision.admitted:
            decision = await self._retry_counted(call, ask, target, decision)
        call.journal.limits += decision.standings
        for rule in decision.overlooked:
            self._listener(LimitExceeded(call.id, rule.name, rule.measure.value, None, shadow=True))
        refusal = None if decision.admitted else decision.refusal
        if refusal is not None:
            self._refuse(call, ask, refusal, target)
        taken = Reservation(call, self._limits, decision, ask.prompt, call.journal.attempts)
        return await settle(subject, proceed, taken.close, taken.watch)

    async def _retry_counted(self, call: Call, ask: Ask, target: Target | None, decision: Decision) -> Decision:
        """Retry with the exact number of tokens if the estimate was refused and a tokenizer finds it too high."""
        refusal = decision.refusal
        if refusal is None or self._tokenizer is None or refusal.claim.rule.measure is not Measure.TOKENS:
            return decision
        text, other = prompt_parts(call.request)
        model = call.request.model if target is None else target.model
        counted = await self._tokenizer.count(text, family_of(model))
        if counted is None or ask.prompt is None or counted + other >= ask.prompt:
            return decision
        return await self._limits.acquire(with_prompt(ask, counted + other))

    def _refuse(self, call: Call, ask: Ask, refusal: Standing, target: Target | None) -> NoReturn:
        rule = refusal.claim.rule
        wait_s = None if refusal.wait_us == NEVER else refusal.wait_us / US_PER_S
        self._listener(LimitExceeded(call.id, rule.name, rule.measure.value, wait_s, shadow=False))
        if wait_s is None:
            error = _too_large(
                call.request, ask.prompt or 0, refusal, INVALID_REQUEST if target is None else CONTEXT_TOO_LONG
            )
        else:
            message = (
                f"The rate limit {rule.name!r} of {_described(rule)} is reached; come back in {_formatted(wait_s)} s."
            )
            error = GatewayError(RATE_LIMITED, message, retry_after_s=round(wait_s, 3))
        error.provider, error.limit = None if target is None else target.provider, rule.name
        raise error


def _too_large(request: Request, prompt: int, refusal: Standing, kind: Kind) -> GatewayError:
    """Return the error for a call that needs more than a full bucket holds; names the field that is too large."""
    rule, units = refusal.claim.rule, refusal.claim.units
    message = (
        f"This call needs about {units} tokens; the rate limit {rule.name!r} lets at most {rule.most} through at once."
    )
    advice = "Send a shorter prompt or a smaller limit for the answer, or ask for a higher rate limit."
    if not isinstance(request, ChatRequest):
        param = "input"
    elif prompt > rule.most:
        param = "messages"
    else:
        param = "max_completion_tokens" if request.fields.max_completion_tokens else "max_tokens"
    return GatewayError(kind, message, param=param, suggestion=advice)


def _formatted(wait_s: float) -> str:
    """Format a waiting time: three digits if it is short, whole seconds if it is long."""
    return f"{wait_s:.3g}" if wait_s < 100 else f"{math.ceil(wait_s)}"  # noqa: PLR2004 - from here on :.3g rounds seconds


def _described(rule: Rule) -> str:
    """Describe what a rule allows."""
    rate = rule.rate
    if rate is None:
        return f"{rule.most} calls at the same time"
    window_s = rate.window_us / US_PER_S
    return f"{rate.amount} {rule.measure.value} per {_WINDOWS.get(window_s, f'{window_s:g} seconds')}"


class Reservation(msgspec.Struct):
    """
    What a decision reserved for a call or an attempt; settled by what the answer used.

    `prompt` is the estimate of the prompt's tokens, which count as soon as a provider may have read them; None if no
    rule counts tokens. `attempts` had been made before the reservation. The rest is what was seen of the answer.
    """

    call: Call
    limits: Limits
    decision: Decision
    prompt: int | None
    attempts: int
    usage: Usage | None = None
    seen: bool = False
    chars: int = 0
    pieces: int = 0

    def watch(self, reply: Reply) -> None:
        """Count the tokens of a reply, of a stream as its events pass, if any rule counts tokens."""
        if self.prompt is None:
            return
        self.seen = True
        body = reply.body
        if not isinstance(body, Completion):
            body.transform(self._count)
        elif body.usage is not None:
            self.usage = body.usage
        else:
            self.chars = max(0, len(body.raw) - _ENVELOPE_BYTES)

    def close(self, outcome: Outcome) -> None:
        """Settle the reservation."""
        self.limits.settle(self.decision, 0 if self.prompt is None else self._used(outcome, self.prompt))

    def _used(self, outcome: Outcome, prompt: int) -> int:
        """Return the tokens that were used: as reported, or else by estimate."""
        if self.call.journal.cache in _CACHED:
            return 0
        if self.usage is not None:
            return self.usage.total_tokens or self.usage.prompt_tokens + self.usage.completion_tokens
        if self.seen:
            return prompt + max(self.pieces, self.chars // CHARS_PER_TOKEN)
        has_attempted = self.call.journal.attempts > self.attempts
        return prompt if has_attempted and _has_read_prompt(outcome) else 0

    def _count(self, batch: Batch) -> Batch:
        for event in batch:
            chunk = event.chunk
            if chunk is None:
                continue
            if chunk.usage is not None:
                self.usage = chunk.usage
            for choice in chunk.choices:
                text = choice.delta.content or choice.delta.reasoning_content
                if text:
                    self.pieces += 1
                    self.chars += len(text)
        return batch


def _has_read_prompt(outcome: Outcome) -> bool:
    """Return whether a provider that gave no answer may have read the prompt; providers do not charge for refusals."""
    error = outcome.error
    if isinstance(error, GatewayError):
        return error.kind.category == "timeout" and error.kind is not TIMEOUT_CONNECT
    return outcome.end is End.ABANDONED

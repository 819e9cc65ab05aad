"""What happens once to a call: how it is understood, what redaction finds, which limits it meets, what is cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import msgspec

from app.core.caching.directives import Directives
from app.core.call import Attempt, Call, Reply
from app.core.clock import Clock
from app.core.explain.port import Inquiry
from app.core.limits.rulebook import RuleBook
from app.core.model import Completion, Request
from app.core.pipeline import Stage, compose
from app.core.ports import Limits
from app.core.redaction.redactor import Action, Hit, blocked_by
from app.core.routing.candidates import needs_of
from app.core.rules import Claim, Standing
from app.core.sessions import is_session_id
from app.core.tokens import answer_tokens, prompt_of


class RequestSection(msgspec.Struct, frozen=True):
    """
    What was understood.

    `prompt_tokens` is an estimate, `answer_tokens` what the request allows (None: it does not say). `needs` are the
    features that a target must have, `timeout_s` is the time for everything, retries and fallbacks included.
    """

    endpoint: str
    operation: str
    model: str
    stream: bool
    prompt_tokens: int
    answer_tokens: int | None
    needs: tuple[str, ...]
    timeout_s: float
    priority: str
    retry: bool
    fallback: bool


class ExplainRequest(msgspec.Struct, frozen=True):
    """The section `request`; `check` raises `GatewayError` for a request that is not accepted at all."""

    check: Callable[[Call], None]
    section: ClassVar[str] = "request"

    async def explain(self, inquiry: Inquiry) -> RequestSection:
        """Say what was understood of a request that is accepted."""
        call = inquiry.call
        self.check(call)
        request, options = call.request, call.options
        return RequestSection(
            endpoint=call.endpoint,
            operation=request.operation.value,
            model=request.model,
            stream=request.stream,
            prompt_tokens=prompt_of(call),
            answer_tokens=answer_tokens(request),
            needs=needs_of(call).features,
            timeout_s=round(call.deadline - call.started, 3),
            priority=call.priority.word,
            retry=options.retry,
            fallback=options.fallback,
        )


class RedactionSection(msgspec.Struct, frozen=True):
    """All finds, by field and detector, and never what was found; detectors outside of the gateway are not asked."""

    finds: tuple[Hit, ...]


class ExplainRedaction(msgspec.Struct, frozen=True):
    """The section `redaction`; `find` returns what would be found in a request, and the request without it."""

    find: Callable[[Request], tuple[Sequence[Hit], Request]]
    section: ClassVar[str] = "redaction"

    async def explain(self, inquiry: Inquiry) -> RedactionSection | None:
        """
        Look at the prompt, which the sections below have without the finds; None if nothing is found.

        Raises:
            GatewayError: CONTENT_BLOCKED, for what must not pass.
        """
        hits, request = self.find(inquiry.call.request)
        for hit in hits:
            if hit.action is Action.BLOCK:
                raise blocked_by(hit.detector, hit.field)
        inquiry.call = msgspec.structs.replace(inquiry.call, request=request)
        return RedactionSection(tuple(hits)) if hits else None


class LimitLevel(msgspec.Struct, frozen=True):
    """
    One limit, and the bucket of this call in it.

    `asks` and `remaining` are in units of `measure` (requests, tokens, concurrency). One in `shadow` refuses nobody.
    """

    name: str
    per: tuple[str, ...]
    measure: str
    asks: int
    remaining: int
    most: int
    has_room: bool
    shadow: bool


class LimitsSection(msgspec.Struct, frozen=True):
    """The limits that apply."""

    limits: tuple[LimitLevel, ...]


class ExplainLimits(msgspec.Struct, frozen=True):
    """
    The section `limits`, of the rules that calls meet, or `target_limits`, of those that the first target meets.

    The second stands behind `route`. `limits` knows how full the buckets of the rules in `book` are.
    """

    section: Literal["limits", "target_limits"]
    book: RuleBook
    limits: Limits
    clock: Clock

    async def explain(self, inquiry: Inquiry) -> LimitsSection | None:
        """Say what would be asked for; None if no rule applies. Takes nothing."""
        now = self.clock.now()
        if self.section == "limits":
            ask = self.book.of_call(inquiry.call, now)
        else:
            ask = self.book.of_attempt(Attempt(inquiry.call, inquiry.targets[0], last=True), now)
        if ask is None:
            return None
        known = {standing.claim.bucket: standing for standing in await self.limits.levels()}
        return LimitsSection(tuple([_level(claim, known.get(claim.bucket)) for claim in ask.claims]))


def _level(claim: Claim, standing: Standing | None) -> LimitLevel:
    rule = claim.rule
    remaining = rule.most if standing is None else standing.remaining
    return LimitLevel(
        name=rule.name,
        per=tuple([scope.value for scope in rule.per]),
        measure=rule.measure.value,
        asks=claim.units,
        remaining=remaining,
        most=rule.most,
        has_room=claim.units <= remaining,
        shadow=rule.shadow,
    )


class CacheSection(msgspec.Struct, frozen=True):
    """
    The key, whether a stored answer would do (`reads`), and whether the new one would be kept (`stores`).

    `key` is None for a call that has no part in the cache, and for one of a session, which is asked with all that was
    said before.
    """

    key: str | None
    reads: bool
    stores: bool


class ExplainCache(msgspec.Struct, frozen=True):
    """
    The section `cache`.

    `asked` returns what a call wants of the cache, None if nothing; `before` are the stages between the redaction and
    the cache that change what is asked.
    """

    asked: Callable[[Call], Directives | None]
    before: Sequence[Stage[Call]]
    section: ClassVar[str] = "cache"

    async def explain(self, inquiry: Inquiry) -> CacheSection:
        """Follow the call to where the cache stands, unless it does not come so far."""
        arrived = [inquiry.call]

        async def arrive(call: Call) -> Reply:
            arrived.append(call)
            return Reply(Completion(b""))

        await compose(self.before, arrive)(inquiry.call)
        call = arrived[-1]
        asked = self.asked(call)
        if asked is None:
            return CacheSection(None, reads=False, stores=False)
        session = call.options.session
        of_session = session is not None and is_session_id(session)
        return CacheSection(None if of_session else asked.key, asked.reads, asked.stores)

"""Explainers of what applies once per call: parsing, redaction, rate limits and the cache."""

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
    The request as the gateway parsed it.

    `prompt_tokens` is an estimate, `answer_tokens` the maximum that the request sets (None: it sets none). `needs` are
    the features that a target must have, `timeout_s` is the total time, including retries and fallbacks.
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
    """Explains the section `request`; `check` raises `GatewayError` for an invalid request."""

    check: Callable[[Call], None]
    section: ClassVar[str] = "request"

    async def explain(self, inquiry: Inquiry) -> RequestSection:
        """Return the parsed request, once `check` has accepted it."""
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
    """All finds by field and detector, without the text that was found; external detectors are not called."""

    finds: tuple[Hit, ...]


class ExplainRedaction(msgspec.Struct, frozen=True):
    """Explains the section `redaction`; `find` returns the finds in a request, and the redacted request."""

    find: Callable[[Request], tuple[Sequence[Hit], Request]]
    section: ClassVar[str] = "redaction"

    async def explain(self, inquiry: Inquiry) -> RedactionSection | None:
        """
        Return the finds in the prompt, or None without any; later sections get the redacted call.

        Raises:
            GatewayError: CONTENT_BLOCKED, for a find whose action is to block.
        """
        hits, request = self.find(inquiry.call.request)
        for hit in hits:
            if hit.action is Action.BLOCK:
                raise blocked_by(hit.detector, hit.field)
        inquiry.call = msgspec.structs.replace(inquiry.call, request=request)
        return RedactionSection(tuple(hits)) if hits else None


class LimitLevel(msgspec.Struct, frozen=True):
    """
    A rate limit, and the level of the call's bucket.

    `asks` (what the call would take), `remaining` and `most` are in units of `measure` (requests, tokens,
    concurrency). A limit in `shadow` mode refuses no call.
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
    """The rate limits that apply to the call."""

    limits: tuple[LimitLevel, ...]


class ExplainLimits(msgspec.Struct, frozen=True):
    """
    Explains `limits`, the rules that apply to calls, or `target_limits`, those that apply to the first target.

    The latter requires section `route` to have run. `limits` holds the bucket levels of the rules in `book`.
    """

    section: Literal["limits", "target_limits"]
    book: RuleBook
    limits: Limits
    clock: Clock

    async def explain(self, inquiry: Inquiry) -> LimitsSection | None:
        """Return the limits that apply, None if none does. Takes no units."""
        now = self.clock.now()
        if self.section == "limits":
            ask = self.book.of_call(inquiry.call, now)
        else:
            ask = self.book.of_attempt(Attempt(inquiry.call, inquiry.targets[0], last=True), now)
        if ask is None:
            return None
        standings = {standing.claim.bucket: standing for standing in await self.limits.levels()}
        return LimitsSection(tuple([_level(claim, standings.get(claim.bucket)) for claim in ask.claims]))


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
    The cache key, whether a stored answer may be used (`reads`), and whether a new one would be stored (`stores`).

    `key` is None for a call that bypasses the cache, and for one in a session, whose key depends on the whole
    conversation.
    """

    key: str | None
    reads: bool
    stores: bool


class ExplainCache(msgspec.Struct, frozen=True):
    """
    Explains the section `cache`.

    `asked` returns a call's cache directives, None if it bypasses the cache; `before` are the stages between redaction
    and the cache that modify the call.
    """

    asked: Callable[[Call], Directives | None]
    before: Sequence[Stage[Call]]
    section: ClassVar[str] = "cache"

    async def explain(self, inquiry: Inquiry) -> CacheSection:
        """Return the directives of the call as the cache would receive it, or as it is if a stage answers before."""
        received = [inquiry.call]

        async def receive(call: Call) -> Reply:
            received.append(call)
            return Reply(Completion(b""))

        await compose(self.before, receive)(inquiry.call)
        call = received[-1]
        directives = self.asked(call)
        if directives is None:
            return CacheSection(None, reads=False, stores=False)
        session = call.options.session
        in_session = session is not None and is_session_id(session)
        return CacheSection(None if in_session else directives.key, directives.reads, directives.stores)

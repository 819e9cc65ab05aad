"""
Which rate limit rules apply to a call, and what it claims: bucket names by owner, units by measure. Pure.

Rules per model or provider apply to attempts, when the target is known; all others to the call. The rules of a key
(`Caller.limits`) apply to the calls of that key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from app.core.allow_list import AllowList, slashed
from app.core.call import Attempt, Call, Target
from app.core.identity import Caller
from app.core.model import ChatRequest, Operation
from app.core.rules import Ask, Claim, Measure, Rule, Scope
from app.core.tokens import answer_tokens, prompt_of

ANSWER_TOKENS: Final = 512  # reserved for an answer of unbounded length; at most ...
ANSWER_SHARE: Final = 10  # ... a tenth of the burst, so that a guess does not use up a small limit
HOLD_SPARE_S: Final = 5.0  # after its deadline a call has certainly ended, and its concurrency slots are free again
CALLERS_MAX: Final = 10_000
_OF_TARGETS: Final = frozenset({Scope.MODEL, Scope.PROVIDER})
_OF_CALLERS: Final = frozenset({Scope.GLOBAL, Scope.KEY, Scope.TEAM})
# Scopes by which buckets may be spread over the slots of a Redis cluster: all buckets of a call have to be in one slot.
# A key has one team, but many users and sessions: its own limits could not be in one slot with theirs.
_SLOTS: Final = (Scope.KEY, Scope.TEAM, Scope.MODEL, Scope.PROVIDER)
_GENERATING: Final = (Operation.CHAT, Operation.COMPLETIONS)  # other operations generate no tokens
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./@-]{1,64}")
_SPELLED_MAX_CHARS: Final = 192
_PREFIX_PARTS: Final = 3  # of a bucket's name: the rule's name, measure and numbers


class Length(msgspec.Struct, frozen=True):
    """The tokens of a call, before it is answered: an estimate of the prompt, the most of answers (None: unbounded)."""

    prompt: int
    answer: int | None


class RuleBook:
    """The rules of one configuration that apply to calls, or, `of_targets`, those that apply to attempts."""

    def __init__(self, rules: Iterable[Rule], *, of_targets: bool) -> None:
        self._entries = _distinct([_Entry(rule) for rule in rules if bool(_OF_TARGETS & set(rule.per)) is of_targets])
        common = _common([entry.rule for entry in self._entries])
        self._slot = None if common is None else _OWNERS[common]
        self._open = _Plan(tuple(self._entries), None if self._slot else "")
        self._of_callers: dict[str, _Plan] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules in the order of the configuration."""
        return tuple([entry.rule for entry in self._entries])

    def of_call(self, call: Call, now: float) -> Ask | None:
        """Return the claims of a call at `now` (seconds); None if no rule applies."""
        return self._ask(self._plan(call) if call.caller.known else self._open, call, None, now)

    def of_attempt(self, attempt: Attempt, now: float) -> Ask | None:
        """Return the claims of an attempt at `now` (seconds); None if no rule applies."""
        return self._ask(self._open, attempt.call, attempt.target, now)

    def _ask(self, plan: _Plan, call: Call, target: Target | None, now: float) -> Ask | None:
        claims, counting = plan.claims, plan.counting
        if plan.entries:
            plain, counted = _claims(plan.entries, call, target)
            claims, counting = claims + plain, counting + counted
        prompt = None
        if counting and call.request.operation is not Operation.COUNT_TOKENS:
            length = length_of(call)
            prompt = length.prompt
            claims += tuple([claim_tokens(claim, length) for claim in counting])
        if not claims:
            return None
        slot = self._slot_of(call, target) if plan.slot is None else plan.slot
        return Ask(claims, slot, max(0.0, call.deadline - now) + HOLD_SPARE_S, prompt)

    def _plan(self, call: Call) -> _Plan:
        """Return the plan of a caller, with the rules of its key; cached per caller."""
        caller = call.caller
        cached = self._of_callers.get(caller.id)
        if cached is not None and (cached.caller is caller or cached.caller == caller):
            return cached
        if len(self._of_callers) >= CALLERS_MAX:
            self._of_callers.clear()
        entries = _distinct([*self._entries, *(_Entry(rule) for rule in caller.limits)])
        plain, counted = _claims([entry for entry in entries if entry.of_callers], call, None)
        per_call = tuple([entry for entry in entries if not entry.of_callers])
        plan = self._of_callers[caller.id] = _Plan(per_call, self._slot_of(call, None), plain, counted, caller)
        return plan

    def _slot_of(self, call: Call, target: Target | None) -> str:
        return "" if self._slot is None else self._slot(call, target) or ""


class _Entry:
    """A rule, with what can be computed once; if `of_callers`, its claims are the same for all calls of a key."""

    __slots__ = ("_charge_us", "_models", "_owners", "_prefix", "_units", "of_callers", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.of_callers = not rule.models and _OF_CALLERS.issuperset(rule.per)
        self._units = _guess(rule) if rule.measure is Measure.TOKENS else 1
        self._charge_us = 0 if rule.rate is None else rule.rate.charge_us(self._units)
        self._prefix = bucket_prefix(rule)
        self._owners = tuple(_OWNERS[scope] for scope in rule.per if scope in _OWNERS)
        self._models = AllowList(map(slashed, rule.models)) if rule.models else None

    def claim(self, call: Call, target: Target | None) -> Claim | None:
        """Return the claim of a call or an attempt; None if the rule does not apply."""
        models = self._models
        applies = models is None or models.allows(call.route)
        if not applies and (target is None or models is None or not models.allows(target.name)):
            return None
        name = self._prefix
        for owner in self._owners:
            value = owner(call, target)
            if value is None:
                return None
            name += f":{value}"
        return Claim(self.rule, name, self._units, self._charge_us)


class _Plan(msgspec.Struct, frozen=True):
    """
    What to claim: by `entries`, computed for each call; `claims` and `counting` (of tokens) are the same for all calls.

    `slot` is None if it differs from call to call; `caller` is the one that the plan was made for.
    """

    entries: tuple[_Entry, ...]
    slot: str | None
    claims: tuple[Claim, ...] = ()
    counting: tuple[Claim, ...] = ()
    caller: Caller | None = None


def _claims(
    entries: Iterable[_Entry], call: Call, target: Target | None
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Return the claims of the entries that apply; those counted in tokens are the second tuple."""
    claims = [claim for entry in entries if (claim := entry.claim(call, target)) is not None]
    counted = tuple([claim for claim in claims if claim.rule.measure is Measure.TOKENS])
    return tuple([claim for claim in claims if claim.rule.measure is not Measure.TOKENS]), counted


def _distinct(entries: Iterable[_Entry]) -> list[_Entry]:
    """Remove duplicates, so that each bucket is claimed once."""
    return list({(bucket_prefix(entry.rule), entry.rule.per): entry for entry in entries}.values())


def length_of(call: Call) -> Length:
    """Estimate the length of a call."""
    request, prompt = call.request, prompt_of(call)
    if request.operation not in _GENERATING:
        return Length(prompt, 0)
    answer = answer_tokens(request)
    choices = request.fields.n if isinstance(request, ChatRequest) else None
    return Length(prompt, None if answer is None else answer * max(1, choices or 1))


def claim_tokens(claim: Claim, length: Length) -> Claim:
    """Return the claim in tokens of a call of this length; `claim` has the guess for an answer of unbounded length."""
    rule = claim.rule
    units = length.prompt + (claim.units if length.answer is None else min(length.answer, rule.reserve))
    return Claim(rule, claim.bucket, units, 0 if rule.rate is None else rule.rate.charge_us(units))


def _guess(rule: Rule) -> int:
    """Return how many tokens are reserved for an answer of unbounded length."""
    return min(ANSWER_TOKENS, rule.most // ANSWER_SHARE, rule.reserve)


def bucket_prefix(rule: Rule) -> str:
    """
    Return the prefix of the names of a rule's buckets.

    It includes the rule's numbers, because a bucket holds a time, which has another meaning once they change.
    """
    rate = rule.rate
    numbers = str(rule.most) if rate is None else f"{rate.amount}/{rate.window_us}/{rate.burst}"
    return f"{_escaped(rule.name)}:{rule.measure.value}:{numbers}"


def owner_of(claim: Claim) -> tuple[str, ...]:
    """Return the owner of a claim's bucket: the values of the rule's scopes other than global."""
    return tuple([unquote(value) for value in claim.bucket.split(":")[_PREFIX_PARTS:]])


def _key(call: Call, _target: Target | None) -> str:
    """Return the id of the key; without virtual keys, a digest of the credential."""
    if call.caller.known or call.credential is None:
        return _escaped(call.caller.id)
    return _digest(call.credential.token)


def _user(call: Call, _target: Target | None) -> str:
    """Return tenant and user; a call without a user counts for its key."""
    user = call.caller.user or call.request.user
    return f"{_escaped(call.caller.tenant)}:{_escaped(user)}" if user else f"{_key(call, None)}:"


def _session(call: Call, _target: Target | None) -> str | None:
    session = call.options.session
    return f"{_escaped(call.caller.tenant)}:{_escaped(session)}" if session else None


# The owner of a bucket by scope; None if the call has none of that kind. A global bucket has no owner.
_OWNERS: Final[Mapping[Scope, Callable[[Call, Target | None], str | None]]] = MappingProxyType(
    {
        Scope.KEY: _key,
        Scope.USER: _user,
        Scope.TEAM: lambda call, _target: _escaped(call.caller.team) if call.caller.team else None,
        Scope.SESSION: _session,
        Scope.ROUTE: lambda call, _target: _escaped(call.route),
        Scope.MODEL: lambda _call, target: None if target is None else _escaped(target.name),
        Scope.PROVIDER: lambda _call, target: None if target is None else _escaped(target.provider),
    }
)


def _escaped(value: str) -> str:
    """Escape the delimiter in a value, and bound its length, whatever a caller sends."""
    if _PLAIN.fullmatch(value):
        return value
    spelled = quote(value, safe="", errors="replace")
    return spelled if len(spelled) <= _SPELLED_MAX_CHARS else _digest(value.encode("utf-8", "replace"))


def _digest(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=12).hexdigest()


def _common(rules: Sequence[Rule]) -> Scope | None:
    """Return a scope that all rules have, if there is one. Without rules, only those of keys apply: KEY."""
    if not rules:
        return Scope.KEY
    return next((scope for scope in _SLOTS if all(scope in rule.per for rule in rules)), None)

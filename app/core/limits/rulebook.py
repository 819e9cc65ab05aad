"""
Which rules a call meets, and what it asks of each: buckets by whose they are, units by what they count. Pure.

Rules per model or provider are met by attempts, when it is known who is asked; all others by the call. A rule of a key
(`Caller.limits`) is met by the calls of that key.
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

ANSWER_TOKENS: Final = 512  # taken for an answer whose length nobody bounds; at most ...
ANSWER_SHARE: Final = 10  # ... a tenth of the burst, so that small limits are not used up by a guess
HOLD_SPARE_S: Final = 5.0  # after its deadline a call has ended for sure, and its places are free again
CALLERS_MAX: Final = 10_000
_OF_TARGETS: Final = frozenset({Scope.MODEL, Scope.PROVIDER})
_OF_CALLERS: Final = frozenset({Scope.GLOBAL, Scope.KEY, Scope.TEAM})
# By what the buckets of one kind of call may be spread over a cluster. A key has one team, but many users and sessions:
# its own limits could not be kept together with theirs.
_SLOTS: Final = (Scope.KEY, Scope.TEAM, Scope.MODEL, Scope.PROVIDER)
_SPEAKING: Final = (Operation.CHAT, Operation.COMPLETIONS)  # the others answer without words of their own
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./@-]{1,64}")
_SPELLED_MAX_CHARS: Final = 192
_PREFIX_PARTS: Final = 3  # of the name of a bucket: the rule's name, what it counts, its numbers


class Length(msgspec.Struct, frozen=True):
    """How long a call is before it is answered: its prompt by estimate, and the most that its answers may have."""

    prompt: int
    answer: int | None


class RuleBook:
    """The rules of one configuration that are met in one place: by calls, or by attempts (`of_targets`)."""

    def __init__(self, rules: Iterable[Rule], *, of_targets: bool) -> None:
        self._entries = _distinct([_Entry(rule) for rule in rules if bool(_OF_TARGETS & set(rule.per)) is of_targets])
        common = _common([entry.rule for entry in self._entries])
        self._slot = None if common is None else _OWNERS[common]
        self._open = _Plan(tuple(self._entries), None if self._slot else "")
        self._of_callers: dict[str, _Plan] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return them, in the order in which they were given."""
        return tuple([entry.rule for entry in self._entries])

    def of_call(self, call: Call, now: float) -> Ask | None:
        """Return what a call asks for at `now` (seconds); None if it meets no rule."""
        return self._ask(self._plan(call) if call.caller.known else self._open, call, None, now)

    def of_attempt(self, attempt: Attempt, now: float) -> Ask | None:
        """Return what an attempt asks for."""
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
        """Return the rules with those of the caller, made once for each."""
        caller = call.caller
        found = self._of_callers.get(caller.id)
        if found is not None and (found.caller is caller or found.caller == caller):
            return found
        if len(self._of_callers) >= CALLERS_MAX:
            self._of_callers.clear()
        entries = _distinct([*self._entries, *(_Entry(rule) for rule in caller.limits)])
        plain, counted = _claims([entry for entry in entries if entry.of_callers], call, None)
        differing = tuple([entry for entry in entries if not entry.of_callers])
        plan = self._of_callers[caller.id] = _Plan(differing, self._slot_of(call, None), plain, counted, caller)
        return plan

    def _slot_of(self, call: Call, target: Target | None) -> str:
        return "" if self._slot is None else self._slot(call, target) or ""


class _Entry:
    """A rule with what does not change from call to call; one `of_callers` asks the same of each call of a key."""

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
        """Return what one call or attempt asks of the bucket that concerns it; None if the rule does not."""
        models = self._models
        asked = models is None or models.allows(call.route)
        if not asked and (target is None or models is None or not models.allows(target.name)):
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
    What there is to ask: `entries` of each call anew, `claims` and `counting` (in tokens of the call) of each alike.

    `slot` is None if it differs from call to call; `caller` is whose plan it is.
    """

    entries: tuple[_Entry, ...]
    slot: str | None
    claims: tuple[Claim, ...] = ()
    counting: tuple[Claim, ...] = ()
    caller: Caller | None = None


def _claims(
    entries: Iterable[_Entry], call: Call, target: Target | None
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Return what a call asks of those that concern it, what is counted in tokens apart."""
    found = [claim for entry in entries if (claim := entry.claim(call, target)) is not None]
    counted = tuple([claim for claim in found if claim.rule.measure is Measure.TOKENS])
    return tuple([claim for claim in found if claim.rule.measure is not Measure.TOKENS]), counted


def _distinct(entries: Iterable[_Entry]) -> list[_Entry]:
    """Leave out rules that say the same of the same buckets as one before: each bucket is asked once."""
    return list({(bucket_prefix(entry.rule), entry.rule.per): entry for entry in entries}.values())


def length_of(call: Call) -> Length:
    """Measure a call, by estimate."""
    request, prompt = call.request, prompt_of(call)
    if request.operation not in _SPEAKING:
        return Length(prompt, 0)
    answer = answer_tokens(request)
    choices = request.fields.n if isinstance(request, ChatRequest) else None
    return Length(prompt, None if answer is None else answer * max(1, choices or 1))


def claim_tokens(claim: Claim, length: Length) -> Claim:
    """Return what a call of this length asks of a bucket of tokens; `claim` is for a guess at its answer alone."""
    rule = claim.rule
    units = length.prompt + (claim.units if length.answer is None else min(length.answer, rule.reserve))
    return Claim(rule, claim.bucket, units, 0 if rule.rate is None else rule.rate.charge_us(units))


def _guess(rule: Rule) -> int:
    """Return how many tokens are taken for an answer whose length nobody bounds."""
    return min(ANSWER_TOKENS, rule.most // ANSWER_SHARE, rule.reserve)


def bucket_prefix(rule: Rule) -> str:
    """
    Return how the names of a rule's buckets begin.

    The numbers are part of it: what is in a bucket is time, which means something else once they change.
    """
    rate = rule.rate
    numbers = str(rule.most) if rate is None else f"{rate.amount}/{rate.window_us}/{rate.burst}"
    return f"{_escaped(rule.name)}:{rule.measure.value}:{numbers}"


def owner_of(claim: Claim) -> tuple[str, ...]:
    """Return whose bucket a claim is about: the values of the rule's scopes, as far as they are not global."""
    return tuple([unquote(value) for value in claim.bucket.split(":")[_PREFIX_PARTS:]])


def _key(call: Call, _target: Target | None) -> str:
    """Return the id of the key; where no keys are known, what tells what callers send apart, and nothing else of it."""
    if call.caller.known or call.credential is None:
        return _escaped(call.caller.id)
    return _digest(call.credential.token)


def _user(call: Call, _target: Target | None) -> str:
    """Return a user of one tenant; a call that names none counts for its key."""
    user = call.caller.user or call.request.user
    return f"{_escaped(call.caller.tenant)}:{_escaped(user)}" if user else f"{_key(call, None)}:"


def _session(call: Call, _target: Target | None) -> str | None:
    session = call.options.session
    return f"{_escaped(call.caller.tenant)}:{_escaped(session)}" if session else None


# Whose bucket it is; None if the call belongs to nobody of that kind. What is global is nobody's in particular.
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
    """Spell a value so that it ends where it ends, and is short whatever a caller makes up."""
    if _PLAIN.fullmatch(value):
        return value
    spelled = quote(value, safe="", errors="replace")
    return spelled if len(spelled) <= _SPELLED_MAX_CHARS else _digest(value.encode("utf-8", "replace"))


def _digest(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=12).hexdigest()


def _common(rules: Sequence[Rule]) -> Scope | None:
    """Return what all buckets have in common, if there is such a thing; rules of keys come on top of those of calls."""
    if not rules:
        return Scope.KEY
    return next((scope for scope in _SLOTS if all(scope in rule.per for rule in rules)), None)

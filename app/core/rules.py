"""The words for rate limits: what a rule says, how people write it, what a call asks of it, how that was decided."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

from app.core.gcra import US_PER_S, YEAR_US, Hold, Rate

NEVER: Final = -1  # a wait that no time ends: the call asks for more than the bucket holds when it is full
RESERVE_TOKENS: Final = 4096  # of an answer, unless something else is set
PLACE_WAIT_US: Final = US_PER_S  # a place is free again as soon as any answer ends; nobody knows when that is


class Measure(Enum):
    """What a rule counts: calls, their tokens, or how many are under way at the same time."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Scope(Enum):
    """What has a bucket of its own: each key, each user, and so on; `MODEL` and `PROVIDER` are those of the target."""

    GLOBAL = "global"
    KEY = "key"
    USER = "user"
    TEAM = "team"
    SESSION = "session"
    ROUTE = "route"
    MODEL = "model"
    PROVIDER = "provider"


class Rule(msgspec.Struct, frozen=True):
    """
    One limit.

    Args:
        name: How callers, metrics and logs call it.

        most: What a full bucket holds: the burst, or the number of places.

        rate: None if the measure is concurrency.

        per: What has a bucket of its own; each combination, if there are several.

        models: Patterns (`openai/*`) of the models to which it applies; none is all.

        shadow: Counts and reports, but refuses nobody.

        lease: Units that a replica takes at once from a shared bucket, to hand them out without asking.

        reserve: Most tokens of an answer that are taken before it is known.
    """

    name: str
    measure: Measure
    most: int
    rate: Rate | None = None
    per: tuple[Scope, ...] = (Scope.GLOBAL,)
    models: tuple[str, ...] = ()
    shadow: bool = False
    lease: int = 0
    reserve: int = 0


class Claim(msgspec.Struct, frozen=True):
    """What one call asks of one bucket: some units, which are `charge_us` of work (0: a place)."""

    rule: Rule
    bucket: str
    units: int
    charge_us: int


class Ask(msgspec.Struct, frozen=True):
    """
    Everything that one call asks for, to be given whole or not at all.

    `slot` names what all buckets of the same kind of call have in common, so that a cluster can keep them together;
    `hold_s` is the longest time for which a place may be held without a word. `prompt` is how many tokens the call
    brings, by estimate; None if no rule counts tokens.
    """

    claims: tuple[Claim, ...]
    slot: str
    hold_s: float
    prompt: int | None = None


class Standing(msgspec.Struct):
    """
    How a claim was decided, and where its bucket stands since then, if nobody else touched it.

    `wait_us` is the time after which the claim would fit (0: it fits; NEVER). `used` is the work in the bucket in
    microseconds, or the places that are taken. What was taken is `hold`, or a place under the name `place`; neither,
    if nothing was.
    """

    claim: Claim
    wait_us: int
    used: int
    hold: Hold | None = None
    place: str = ""

    @property
    def remaining(self) -> int:
        """Return how many units could be taken now."""
        rule = self.claim.rule
        left = rule.most - self.used if rule.rate is None else rule.rate.left(self.used)
        return max(0, left)

    @property
    def reset_s(self) -> float:
        """Return the seconds until the bucket is as good as new."""
        return 0.0 if self.claim.rule.rate is None else self.used / US_PER_S

    def settle(self, tokens: int) -> int:
        """Correct what is used, and return how much more work than was taken that is, now that tokens are known."""
        rule = self.claim.rule
        if rule.measure is not Measure.TOKENS or rule.rate is None or self.hold is None:
            return 0
        owed_us = min(rule.rate.charge_us(tokens) - self.claim.charge_us, YEAR_US)
        self.used = max(0, self.used + owed_us)
        return owed_us


class Decision(msgspec.Struct, frozen=True):
    """
    What became of an ask; handed back to be settled if it was `admitted`, once.

    `overlooked` are the rules that would have refused the call if they were not in shadow. `alone` says that this
    process decided without the others.
    """

    standings: tuple[Standing, ...]
    slot: str
    admitted: bool
    overlooked: tuple[Rule, ...] = ()
    alone: bool = False

    @property
    def refusal(self) -> Standing | None:
        """Return the claim that keeps the call out for longest; None if it was admitted."""
        if self.admitted:
            return None
        refusing = [each for each in self.standings if each.wait_us and not each.claim.rule.shadow]
        return max(refusing, key=lambda each: (each.wait_us == NEVER, each.wait_us))


def overlooked(standings: Iterable[Standing]) -> tuple[Rule, ...]:
    """Return the rules in shadow that a call does not fit."""
    return tuple([each.claim.rule for each in standings if each.wait_us and each.claim.rule.shadow])


def with_prompt(ask: Ask, prompt: int) -> Ask:
    """Return an ask whose prompt has another number of tokens than was thought."""
    more = prompt - (ask.prompt or 0)
    claims = tuple([_grown(claim, more) if claim.rule.measure is Measure.TOKENS else claim for claim in ask.claims])
    return Ask(claims, ask.slot, ask.hold_s, prompt)


def _grown(claim: Claim, more: int) -> Claim:
    units, rate = claim.units + more, claim.rule.rate
    return Claim(claim.rule, claim.bucket, units, 0 if rate is None else rate.charge_us(units))


class LimitSpec(msgspec.Struct, frozen=True):
    """
    What may be done: `requests` and `tokens` in `window_s`, and calls at the same time (`concurrency`).

    The other fields are those of `Rule`; a `burst` of None is what a whole window allows.
    """

    name: str = "key"
    requests: int | None = None
    tokens: int | None = None
    concurrency: int | None = None
    window_s: float = 60.0
    burst: int | None = None
    models: tuple[str, ...] = ()
    shadow: bool = False
    lease: int = 0
    reserve: int = RESERVE_TOKENS


def rules_of(spec: LimitSpec, per: tuple[Scope, ...]) -> tuple[Rule, ...]:
    """Return a rule for each number of a spec."""
    counted = ((Measure.REQUESTS, spec.requests), (Measure.TOKENS, spec.tokens))
    rules = [_rate(spec, per, measure, amount) for measure, amount in counted if amount is not None]
    if spec.concurrency is not None:
        rules.append(Rule(spec.name, Measure.CONCURRENCY, spec.concurrency, None, per, spec.models, spec.shadow))
    return tuple(rules)


def spec_of(rule: Rule) -> LimitSpec:
    """Return the spec that amounts to this one rule."""
    spec = LimitSpec(rule.name, models=rule.models, shadow=rule.shadow, lease=rule.lease)
    if rule.rate is None:
        return msgspec.structs.replace(spec, concurrency=rule.most)
    counted = {rule.measure.value: rule.rate.amount}
    return msgspec.structs.replace(
        spec, **counted, window_s=rule.rate.window_us / US_PER_S, burst=rule.rate.burst, reserve=rule.reserve
    )


def _rate(spec: LimitSpec, per: tuple[Scope, ...], measure: Measure, amount: int) -> Rule:
    rate = Rate.of(amount, spec.window_s, spec.burst or amount)
    return Rule(
        name=spec.name,
        measure=measure,
        most=rate.burst,
        rate=rate,
        per=per,
        models=spec.models,
        shadow=spec.shadow,
        lease=spec.lease,
        reserve=spec.reserve,
    )

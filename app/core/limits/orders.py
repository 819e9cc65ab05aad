"""Rate limits as people write them, several numbers in one, and the rules that they amount to."""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.gcra import US_PER_S, Rate
from app.core.rules import Measure, Rule, Scope

RESERVE_TOKENS: Final = 4096


class LimitOrder(msgspec.Struct, frozen=True):
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


def rules_of(order: LimitOrder, per: tuple[Scope, ...]) -> tuple[Rule, ...]:
    """Return a rule for each number of an order."""
    counted = ((Measure.REQUESTS, order.requests), (Measure.TOKENS, order.tokens))
    rules = [_rate(order, per, measure, amount) for measure, amount in counted if amount is not None]
    if order.concurrency is not None:
        rules.append(Rule(order.name, Measure.CONCURRENCY, order.concurrency, None, per, order.models, order.shadow))
    return tuple(rules)


def order_of(rule: Rule) -> LimitOrder:
    """Return the order that amounts to this one rule."""
    order = LimitOrder(rule.name, models=rule.models, shadow=rule.shadow, lease=rule.lease)
    if rule.rate is None:
        return msgspec.structs.replace(order, concurrency=rule.most)
    counted = {rule.measure.value: rule.rate.amount}
    return msgspec.structs.replace(
        order, **counted, window_s=rule.rate.window_us / US_PER_S, burst=rule.rate.burst, reserve=rule.reserve
    )


def _rate(order: LimitOrder, per: tuple[Scope, ...], measure: Measure, amount: int) -> Rule:
    rate = Rate.of(amount, order.window_s, order.burst or amount)
    return Rule(
        name=order.name,
        measure=measure,
        most=rate.burst,
        rate=rate,
        per=per,
        models=order.models,
        shadow=order.shadow,
        lease=order.lease,
        reserve=order.reserve,
    )

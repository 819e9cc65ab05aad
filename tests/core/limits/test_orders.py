"""Rate limits as people write them."""

from __future__ import annotations

import pytest

from app.core.gcra import Rate
from app.core.limits.orders import LimitOrder, order_of, rules_of
from app.core.rules import Measure, Rule, Scope

PER = (Scope.KEY,)


def test_an_order_is_a_rule_for_each_number() -> None:
    """With everything else in each of them; places have no rate."""
    order = LimitOrder("all", requests=60, tokens=1000, concurrency=5, window_s=30.0, models=("a*",), shadow=True)

    rules = rules_of(order, PER)

    requests, tokens = Rate.of(60, 30.0, 60), Rate.of(1000, 30.0, 1000)
    assert rules == (
        Rule("all", Measure.REQUESTS, 60, requests, PER, ("a*",), shadow=True, reserve=4096),
        Rule("all", Measure.TOKENS, 1000, tokens, PER, ("a*",), shadow=True, reserve=4096),
        Rule("all", Measure.CONCURRENCY, 5, None, PER, ("a*",), shadow=True),
    )


def test_a_burst_is_what_is_let_in_at_once() -> None:
    """Without one that is a whole window."""
    (rule,) = rules_of(LimitOrder(requests=10, burst=3, lease=1), PER)

    assert (rule.most, rule.lease, rule.rate) == (3, 1, Rate.of(10, 60.0, 3))


@pytest.mark.parametrize(
    "order",
    [
        LimitOrder(requests=10, burst=3, window_s=5.0),
        LimitOrder("t", tokens=10, burst=10, reserve=7, models=("m",), shadow=True),
        LimitOrder(concurrency=3),
    ],
)
def test_a_rule_tells_its_order(order: LimitOrder) -> None:
    """So that an operator sees what was written."""
    (rule,) = rules_of(order, PER)

    assert order_of(rule) == order


def test_an_order_of_nothing() -> None:
    """It is no rule."""
    assert rules_of(LimitOrder(), PER) == ()

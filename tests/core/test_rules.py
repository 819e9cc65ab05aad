"""Rate limits as people write them."""

from __future__ import annotations

import pytest

from app.core.gcra import Rate
from app.core.rules import NEVER, Claim, Decision, LimitSpec, Measure, Rule, Scope, Standing, rules_of, spec_of

PER = (Scope.KEY,)


def test_an_order_is_a_rule_for_each_number() -> None:
    """With everything else in each of them; places have no rate."""
    spec = LimitSpec("all", requests=60, tokens=1000, concurrency=5, window_s=30.0, models=("a*",), shadow=True)

    rules = rules_of(spec, PER)

    requests, tokens = Rate.of(60, 30.0, 60), Rate.of(1000, 30.0, 1000)
    assert rules == (
        Rule("all", Measure.REQUESTS, 60, requests, PER, ("a*",), shadow=True, reserve=4096),
        Rule("all", Measure.TOKENS, 1000, tokens, PER, ("a*",), shadow=True, reserve=4096),
        Rule("all", Measure.CONCURRENCY, 5, None, PER, ("a*",), shadow=True),
    )


def test_a_burst_is_what_is_let_in_at_once() -> None:
    """Without one that is a whole window."""
    (rule,) = rules_of(LimitSpec(requests=10, burst=3, lease=1), PER)

    assert (rule.most, rule.lease, rule.rate) == (3, 1, Rate.of(10, 60.0, 3))


@pytest.mark.parametrize(
    "spec",
    [
        LimitSpec(requests=10, burst=3, window_s=5.0),
        LimitSpec("t", tokens=10, burst=10, reserve=7, models=("m",), shadow=True),
        LimitSpec(concurrency=3),
    ],
)
def test_a_rule_tells_its_order(spec: LimitSpec) -> None:
    """So that an operator sees what was written."""
    (rule,) = rules_of(spec, PER)

    assert spec_of(rule) == spec


def test_an_order_of_nothing() -> None:
    """It is no rule."""
    assert rules_of(LimitSpec(), PER) == ()


@pytest.mark.parametrize(("waits", "longest"), [((0, 1, 3, 2), 3), ((5, NEVER, 3), NEVER), ((0, 7, 0), 7)])
def test_a_refusal_is_that_which_lasts_longest(waits: tuple[int, ...], longest: int) -> None:
    """Whoever comes back after it is let in by the others as well; one for ever lasts longer than any."""
    claim = Claim(Rule("r", Measure.CONCURRENCY, 1), "b", 1, 0)
    decision = Decision(tuple(Standing(claim, wait_us, 0) for wait_us in waits), "", admitted=False)

    assert decision.refusal is not None
    assert decision.refusal.wait_us == longest

"""What providers say is left of their own limits, and what is made of it."""

from __future__ import annotations

from functools import partial

from app.core.limits.quotas import TARGETS_MAX, WAIT_MAX_S, Left, Quotas
from app.core.rules import Measure

REQUESTS, TOKENS = Measure.REQUESTS, Measure.TOKENS
TARGET = "acme/small"


def never() -> int:
    """Fail: nobody needs to know how long the prompt is."""
    raise AssertionError("the prompt was measured")


def test_a_target_that_said_nothing_is_asked() -> None:
    """Nothing is made up."""
    assert Quotas().take(TARGET, never, 0.0) is None


def test_what_is_left_is_used_up_by_attempts() -> None:
    """Until the provider's next word, or until its limit is reset."""
    quotas = Quotas()
    quotas.hear(TARGET, {REQUESTS: Left(2, resets_at=30.0)})

    found = [quotas.take(TARGET, never, 10.0) for _ in range(3)]
    quotas.hear(TARGET, {REQUESTS: Left(1, resets_at=30.0)})
    found += [quotas.take(TARGET, never, 10.0), quotas.take(TARGET, never, 30.0)]

    assert found == [None, None, (REQUESTS, 20.0), None, None]


def test_tokens_are_those_of_the_prompt() -> None:
    """A short one may still fit where a long one does not; what is refused takes nothing."""
    quotas = Quotas()
    quotas.hear(TARGET, {REQUESTS: Left(1, resets_at=9.0), TOKENS: Left(100, resets_at=5.0)})

    found = [quotas.take(TARGET, partial(int, tokens), 0.0) for tokens in (101, 100, 1)]

    assert found == [(TOKENS, 5.0), None, (REQUESTS, 9.0)]


def test_what_one_answer_does_not_say_stays() -> None:
    """Headers may come one by one."""
    quotas = Quotas()
    quotas.hear(TARGET, {TOKENS: Left(0, resets_at=5.0)})
    quotas.hear(TARGET, {REQUESTS: Left(5, resets_at=5.0)})

    assert quotas.take(TARGET, lambda: 1, 0.0) == (TOKENS, 5.0)


def test_targets_have_limits_of_their_own() -> None:
    """A model that is used up says nothing of another."""
    quotas = Quotas()
    quotas.hear(TARGET, {REQUESTS: Left(0, resets_at=5.0)})

    assert quotas.take("acme/large", never, 0.0) is None


def test_no_word_is_believed_for_long() -> None:
    """A provider whose reset is days away is asked again within the hour."""
    quotas = Quotas()
    quotas.hear(TARGET, {REQUESTS: Left(0, resets_at=1e9)})

    assert quotas.take(TARGET, never, 0.0) == (REQUESTS, WAIT_MAX_S)


def test_coming_close_is_news_once() -> None:
    """Until there is plenty again; without a limit nobody can say what close is."""
    quotas = Quotas()

    news = [quotas.hear(TARGET, {REQUESTS: Left(left, 60.0, 100)}) for left in (50, 10, 9, 5, 15, 9, 20, 9)]

    assert news == [[], [], [REQUESTS], [], [], [], [], [REQUESTS]]
    assert quotas.hear("acme/other", {TOKENS: Left(0, 60.0)}) == []


def test_the_least_share_of_each_provider_is_shown() -> None:
    """Over its models."""
    quotas = Quotas()
    quotas.hear("acme/small", {REQUESTS: Left(50, 60.0, 100), TOKENS: Left(1, 60.0)})
    quotas.hear("acme/large", {REQUESTS: Left(20, 60.0, 100)})
    quotas.hear("box/small", {TOKENS: Left(0, 60.0, 100)})

    assert quotas.lowest() == {("acme", REQUESTS): 0.2, ("box", TOKENS): 0.0}


def test_the_number_of_targets_is_bounded() -> None:
    """The one heard of longest ago is forgotten."""
    quotas = Quotas()
    quotas.hear(TARGET, {REQUESTS: Left(0, 60.0)})

    for number in range(TARGETS_MAX):
        quotas.hear(f"acme/{number}", {REQUESTS: Left(0, 60.0)})

    assert quotas.take(TARGET, never, 0.0) is None
    assert quotas.take("acme/0", never, 0.0) is not None

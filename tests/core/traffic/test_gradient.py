"""The adaptive limit: by itself, and in front of a simulated provider of which nothing is real but the arithmetic."""

from __future__ import annotations

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.traffic.gradient import LIMIT_MIN, LIMIT_START, Gradient

MOST = 200


class Provider:
    """
    Answers as quickly as ever up to `room` calls at once, and then all of them more slowly, in proportion.

    Callers come as fast as they are let in. `peak_s` is the slowest answer since it was last asked.
    """

    def __init__(self, room: int, gradient: Gradient) -> None:
        self.room = room
        self.gradient = gradient
        self._chance = random.Random(7)  # noqa: S311 - no secret is drawn
        self._ends: list[tuple[float, float, int]] = []
        self._now = 0.0

    def run(self, calls: int) -> list[float]:
        """Let so many calls end, and return how long they took."""
        took = []
        for _ in range(calls):
            while len(self._ends) < self.gradient.limit(MOST):
                self._begin()
            self._now, seconds, in_flight = heapq.heappop(self._ends)
            self.gradient.learn(seconds, stream=True, in_flight=in_flight, most=MOST)
            took.append(seconds)
        return took

    def _begin(self) -> None:
        in_flight = len(self._ends) + 1
        seconds = max(1.0, in_flight / self.room) * self._chance.uniform(0.9, 1.1)
        heapq.heappush(self._ends, (self._now + seconds, seconds, in_flight))


def steady(gradient: Gradient, seconds: float, count: int, *, stream: bool = True) -> None:
    """Let so many answers take equally long."""
    for _ in range(count):
        gradient.learn(seconds, stream=stream, in_flight=MOST, most=MOST)


def test_it_starts_where_netflix_starts() -> None:
    """Nothing is known yet: 20, or the most if that is less."""
    gradient = Gradient()

    assert (gradient.limit(MOST), gradient.limit(7), gradient.limit(2)) == (LIMIT_START, 7, 2)


def test_steady_answers_make_it_grow_to_the_most() -> None:
    """As long as more calls do not slow the answers, more are let in."""
    gradient = Gradient()

    steady(gradient, 0.5, 400)

    assert gradient.limit(MOST) == MOST


def test_slow_answers_make_it_shrink_and_quick_ones_grow_again() -> None:
    """Ten times slower than usual halves it several times; back to usual, it recovers."""
    gradient = Gradient()
    steady(gradient, 0.5, 400)

    steady(gradient, 5.0, 30)
    low = gradient.limit(MOST)
    steady(gradient, 0.5, 400)

    assert low < MOST / 4
    assert gradient.limit(MOST) == MOST


def test_few_calls_teach_nothing() -> None:
    """Quick answers to a few calls do not show what more calls would do."""
    gradient = Gradient()

    for _ in range(100):
        gradient.learn(0.5, stream=True, in_flight=LIMIT_START // 2 - 1, most=MOST)

    assert gradient.limit(MOST) == LIMIT_START


def test_half_of_the_limit_is_enough_to_learn_from() -> None:
    """From there on quick answers let in more."""
    gradient = Gradient()

    gradient.learn(0.5, stream=True, in_flight=LIMIT_START // 2, most=MOST)
    steady(gradient, 0.5, 1)

    assert gradient.limit(MOST) == LIMIT_START + 1  # by 0.8 each


def test_one_slow_answer_takes_no_more_than_its_part() -> None:
    """However slow it is, what is wanted is half of the limit and the headroom, of which a fifth is taken over."""
    gradient = Gradient()
    steady(gradient, 0.5, 400)

    steady(gradient, 1000.0, 1)

    assert gradient.limit(MOST) == 180  # 200 - (200 - 104) / 5


@pytest.mark.parametrize(("before", "seconds", "limit"), [(1, 3.0, 187), (9, 2.0, 182), (10, 2.0, 180)])
def test_what_is_usual_is_averaged(before: int, seconds: float, limit: int) -> None:
    """Ten answers count alike; from then on each is one of some hundreds, so a slow one says more about the present."""
    gradient = Gradient()
    steady(gradient, 0.5, 400)  # which let in as many as there may be; whole answers are compared with each other
    steady(gradient, 1.0, before, stream=False)

    steady(gradient, seconds, 1, stream=False)

    assert gradient.limit(MOST) == limit


def test_first_tokens_are_not_compared_with_whole_answers() -> None:
    """A mixture of quick first tokens and slow whole answers is not congestion."""
    gradient = Gradient()

    for _ in range(400):
        steady(gradient, 0.3, 1)
        steady(gradient, 20.0, 1, stream=False)

    assert gradient.limit(MOST) == MOST


def test_a_time_of_trouble_is_forgotten() -> None:
    """After long slowness the usual is slow; when answers are quick again it sinks soon, so that trouble is seen."""
    gradient = Gradient()
    steady(gradient, 10.0, 2000)
    steady(gradient, 0.5, 100)

    steady(gradient, 5.0, 20)

    assert gradient.limit(MOST) < MOST / 2


def test_it_finds_a_limit_that_the_provider_can_bear() -> None:
    """Two hundred calls at once would take 20 s each; the limit keeps enough of them out to halve that."""
    gradient = Gradient()
    provider = Provider(40, gradient)
    provider.run(500)

    provider.room = 10
    provider.run(30)
    after = gradient.limit(MOST)
    took = provider.run(100)

    assert after < 40
    assert sorted(took)[len(took) // 2] < MOST / 10 / 2


@given(
    st.lists(st.tuples(st.floats(0.0, 1e4), st.booleans(), st.integers(1, 300)), max_size=60),
    st.integers(1, 300),
)
def test_it_stays_within_its_bounds(answers: list[tuple[float, bool, int]], most: int) -> None:
    """Whatever answers do, the limit is at least 4 (or the most, if that is less) and at most the most."""
    gradient = Gradient()

    for seconds, stream, in_flight in answers:
        gradient.learn(seconds, stream=stream, in_flight=in_flight, most=most)
        assert min(LIMIT_MIN, most) <= gradient.limit(most) <= most


@pytest.mark.parametrize("most", [1, 3])
def test_a_small_most_is_a_fixed_limit(most: int) -> None:
    """Below the least limit there is nothing to adapt."""
    gradient = Gradient()

    for seconds in (0.1, 10.0, 0.1):
        gradient.learn(seconds, stream=False, in_flight=most, most=most)

    assert gradient.limit(most) == most

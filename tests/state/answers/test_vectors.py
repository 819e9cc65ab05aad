"""An index of vectors in memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.state.answers.caching import Caching
from app.state.answers.vectors import MemoryVectors

numbers = st.floats(-10, 10, width=32)
vectors = st.lists(numbers, min_size=3, max_size=3).filter(lambda vector: math.hypot(*vector) > 0.01)


def cosine(one: list[float], other: list[float]) -> float:
    """Return how similar two vectors are."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


@given(st.lists(vectors, min_size=1, max_size=30), vectors)
def test_the_nearest_is_the_most_similar(given_vectors: list[list[float]], asked: list[float]) -> None:
    """Of any number of vectors the one with the largest cosine is found, with that cosine."""
    index = MemoryVectors(100)
    for n, vector in enumerate(given_vectors):
        index.add("s", str(n), vector)

    near = index.nearest("s", asked)

    best = max(cosine(vector, asked) for vector in given_vectors)
    assert near is not None
    assert near.similarity == pytest.approx(best, abs=1e-4)
    assert cosine(given_vectors[int(near.key)], asked) == pytest.approx(best, abs=1e-4)


def test_spaces_are_apart() -> None:
    """A question in another midst is never found, and an empty space has nothing."""
    index = MemoryVectors(100)
    index.add("a", "k", [1.0, 0.0])

    assert index.nearest("b", [1.0, 0.0]) is None
    assert index.nearest("a", [1.0, 0.0]) is not None


def test_a_question_can_be_replaced_and_forgotten() -> None:
    """Its last vector counts; what is forgotten is not found, and what was never there does no harm."""
    index = MemoryVectors(100)
    for key, vector in (("x", [1.0, 0.0]), ("y", [0.0, 1.0]), ("x", [0.0, -1.0])):
        index.add("s", key, vector)

    replaced = index.nearest("s", [0.0, -1.0])
    index.forget("s", "x")
    index.forget("s", "nobody")
    index.forget("nowhere", "x")
    left = index.nearest("s", [0.0, -1.0])
    index.forget("s", "y")

    assert replaced is not None
    assert left is not None
    assert (replaced.key, left.key) == ("x", "y")
    assert index.nearest("s", [0.0, -1.0]) is None


def test_there_are_never_more_than_may_be() -> None:
    """Spaces that nobody asks about go first, then the oldest questions of the last one."""
    index = MemoryVectors(3)
    for space, key in (("a", "1"), ("b", "1"), ("a", "2")):
        index.add(space, key, [1.0])

    index.add("a", "3", [1.0])
    gone = index.nearest("b", [1.0])
    index.add("a", "4", [-1.0])
    nearest = index.nearest("a", [1.0])

    assert gone is None
    assert nearest is not None
    assert nearest.key == "2"


@pytest.mark.parametrize("vector", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_vectors_that_point_nowhere_are_not_compared(vector: list[float]) -> None:
    """They are neither remembered nor found."""
    index = MemoryVectors(10)
    index.add("s", "bad", vector)
    index.add("s", "good", [1.0, 0.0])

    assert index.nearest("s", vector) is None
    assert index.nearest("s", [1.0, 0.0]) is not None


def test_vectors_of_another_length_begin_anew() -> None:
    """When an embedding model changes, what its predecessor said is of no use."""
    index = MemoryVectors(10)
    index.add("s", "old", [1.0, 0.0])
    before = index.nearest("s", [1.0, 0.0, 0.0])
    index.add("s", "new", [1.0, 0.0, 0.0])

    after = index.nearest("s", [1.0, 0.0, 0.0])

    assert before is None
    assert after is not None
    assert after.key == "new"
    assert index.nearest("s", [1.0, 0.0]) is None


def test_the_index_outlives_a_configuration() -> None:
    """A reload that does not change its model keeps it; another model begins with an empty one."""
    caching = Caching()
    index = caching.compared("m", 10)
    index.add("s", "k", [1.0])

    same, other = caching.compared("m", 10), caching.compared("n", 10)

    assert same is index
    assert other.nearest("s", [1.0]) is None

"""Two halves of an answer become one text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.recovery.splicing import RESTART_CHARS, SURE_CHARS, Splice, longest_overlap

texts = st.text(alphabet="ab c\n1.", max_size=60)
cuts = st.lists(st.integers(0, 60), max_size=8)


def spliced(said: str, more: str, places: list[int] | None = None) -> tuple[str, bool]:
    """Return what is added to `said` by a model that says `more`, in pieces, and whether it began anew."""
    splice = Splice(said)
    ends = sorted({min(place, len(more)) for place in places or ()} | {0, len(more)})
    pieces = [more[start:end] for start, end in pairwise(ends)]
    added = "".join([splice.feed(piece) for piece in pieces]) + splice.end()
    return added, splice.restarted


@pytest.mark.parametrize(
    ("said", "more", "added"),
    [
        ("bal", "loon", "loon"),
        ("one two ", "three", "three"),
        ("one two ", " three", "three"),
        ("one two", " three", " three"),
        ("one\n", "\n\ntwo", "\ntwo"),
        ("one\n\n", "\ntwo", "two"),
        ("one ", "\n\ntwo", "\n\ntwo"),
        ("Hello wor", "world!", "ld!"),
        ("Hello wor", "ld!", "ld!"),
        ("Hello", "Hello world", " world"),
        ("It is very", " very good", " very good"),
        ("It is very", "very good", " good"),
        ("1", "1 apples", "1 apples"),
        ("number 123", "123", "123"),
        ("ha", "ha", "ha"),
        ("----------------------", "----------------------\n", "----------------------\n"),
        ("The quick brown fox ", "The quick brown fox jumps", "jumps"),
        ("A line that is long.\n", "\nA line that is long.\nNext", "Next"),
        ("one", "", ""),
        ("one ", "  ", " "),
    ],
)
def test_a_seam(said: str, more: str, added: str) -> None:
    """Repetitions that are no accident are left out, white space is not doubled, and the rest stays."""
    found, restarted = spliced(said, more)

    assert (found, restarted) == (added, False)


@given(texts, texts, cuts)
def test_pieces_do_not_matter(said: str, more: str, places: list[int]) -> None:
    """However the model's words are cut, the result is the same."""
    in_one = spliced(said, more)

    in_pieces = spliced(said, more, places)

    assert in_pieces == in_one


@given(texts, texts)
def test_nothing_is_made_up(said: str, more: str) -> None:
    """What is added is an end of what the model says, and what is left out stands at the end of the first half."""
    added, restarted = spliced(said, more)

    left_out = more[: len(more) - len(added)]
    assert restarted or more.endswith(added)
    assert restarted or "".join(said.split()).endswith("".join(left_out.split()))


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
phrases = st.lists(words, min_size=6, max_size=20).map(" ".join)


@given(phrases, phrases, st.data())
def test_a_repeated_end_is_found(said: str, more: str, data: st.DataObject) -> None:
    """A model that says a long end of the text again, and then goes on, adds only what comes behind it."""
    length = data.draw(st.integers(min(SURE_CHARS, len(said)), len(said)))
    again = said[-length:].lstrip()

    added, _ = spliced(said, again + "|" + more)

    reference = longest_overlap(said, again + "|" + more)
    assert added == (again + "|" + more)[reference:]
    assert "|" + more == added or len(again) < SURE_CHARS


@given(st.text(), st.text(max_size=20))
def test_the_longest_overlap(first: str, second: str) -> None:
    """It is the longest of all that there are."""
    every = [length for length in range(len(second) + 1) if first.endswith(second[:length])]

    assert longest_overlap(first, second) == max(every)


def test_who_begins_anew_adds_nothing() -> None:
    """A model that says the beginning of the whole answer and then something else does not continue it."""
    opening = "x" * RESTART_CHARS

    assert spliced(opening + " and so on", opening + " but not so") == ("", True)
    assert spliced(opening[2:] + " and so on", opening[2:] + " but not so")[1] is False

"""Looking for finds in a text that comes in pieces: the same as in one, and no later than necessary."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.redaction.editing import InJson, Plain, in_json
from app.core.redaction.hold_back import Cut
from app.core.redaction.inspector import Inspector
from tests.core.redaction.corpus import samples
from tests.core.redaction.parts import EVERYTHING, PATTERNS, inspector
from tests.core.redaction.test_editing import cuts, rewritten

KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{'Ab3' * 100}\n-----END RSA PRIVATE KEY-----"
LONG_TOKEN = "sk-proj-" + "".join(f"{number:x}Zq" for number in range(500, 900))
PIECES = st.sampled_from(
    [
        "hello ",
        "call me at +1 (555) 123-4567 or ",
        "john@example.com",
        "  ",
        "\n",
        "4111 1111 1111 1111",
        KEY,
        KEY[:80],
        "password: hunter22 ",
        "DE89 3704 0044 0532 0130 00",
        "a" * 150,
        LONG_TOKEN,
        "born on 12 March 1980",
        "1",
        " 2 ",
        "@",
        "10.0.0.1 ",
        ", ",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        "é",
        "😀",
        "(",
        "+",
        "[EMAIL_1]",
        "token=",
        "eyJhbGciOiJIUzI1NiJ9.",
        "foo:bar12345678@",
        "postgres://",
    ]
)
TEXT = st.lists(PIECES, max_size=12).map("".join)
PLACES = st.lists(st.integers(0, 3000), max_size=30)
OWN = inspector("email", "phone", own="TCK ?[0-9]+( of [0-9]+)?")


def label(detector: str, _value: str) -> str:
    """Return what stands instead of a find."""
    return f"<{detector}>"


def cut(text: Sequence[str], window: int = 128, given: Inspector = EVERYTHING) -> str:
    """Return what becomes of a text in pieces."""
    return rewritten(Plain(Cut(given, label, window)), text)


@settings(max_examples=400, deadline=None)
@given(TEXT, PLACES, st.sampled_from([16, 64, 128]), st.booleans())
def test_the_result_does_not_depend_on_the_pieces(text: str, places: list[int], window: int, own: bool) -> None:
    """Whatever the text, the pieces and the window, with patterns of one's own and without."""
    detectors = OWN if own else EVERYTHING

    whole, pieces = (cut(cuts(text, where), window, detectors) for where in ([], places))

    assert pieces == whole


@settings(max_examples=100, deadline=None)
@given(TEXT, PLACES)
def test_the_result_is_the_same_in_json(text: str, places: list[int]) -> None:
    """In the arguments of a tool the finds are those of the text that the JSON stands for."""
    spelled = in_json(text)

    pieces = rewritten(InJson(Cut(EVERYTHING, label, 128)), cuts(spelled, places))

    assert pieces == in_json(cut([text]))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), PLACES)
def test_any_text(text: str, places: list[int]) -> None:
    """Also of texts that nobody thought of."""
    whole, pieces = (cut(cuts(text, where)) for where in ([], places))

    assert pieces == whole


def test_what_the_corpus_holds_is_found_in_any_pieces() -> None:
    """A stream of single characters loses nothing that a whole text would not lose."""
    for sample in samples():
        said = cut(list(sample.text))

        assert said == cut([sample.text])
        if sample.detector and sample.detector != "secrets":
            assert sample.value not in said


def test_text_goes_out_word_by_word() -> None:
    """Nothing but the last word is held back where nothing is found, and groups of digits until they are over."""
    rewriter = Plain(Cut(EVERYTHING, label, 128))

    said = [
        rewriter.feed(piece) for piece in ("The qu", "ick fox ", "called ", "555-", "123-4567", " twice", " and", ".")
    ]

    assert said == ["The ", "quick ", "fox ", "", "", "", "called <phone> twice ", ""]
    assert rewriter.end() == "and."


@pytest.mark.parametrize("window", [16, 128])
def test_no_more_than_the_window_is_held_back(window: int) -> None:
    """A word without an end goes out in parts."""
    rewriter = Plain(Cut(EVERYTHING, label, window))

    held = 0
    for _ in range(1000):
        held += 1 - len(rewriter.feed("x"))

        assert held <= window


def test_a_long_secret_goes_on() -> None:
    """What began as a secret is swallowed to its end, however long it is, and so is a private key."""
    key = KEY.replace("Ab3" * 100, "\n".join(["Ab3" * 20] * 50))
    text = f"use {LONG_TOKEN} and\n{key}\nor not"

    said = [cut(list(text)), cut([text])]

    assert said == ["use <secrets> and\n<secrets>\nor not"] * 2


def test_a_key_that_never_ends() -> None:
    """It is swallowed as long as it may be one, and to the end of the text."""
    said = [cut([text]) for text in (KEY[:200], f"{KEY[:200]}. So", "x -----BEGIN PRIVATE KEY----- (cut)")]

    assert said == ["<secrets>", "<secrets>. So", "x <secrets>(cut)"]


def test_a_pattern_of_ones_own_may_reach_across_words() -> None:
    """It is found up to half of the window, wherever the pieces end."""
    text = "see TCK 123 of 456, " * 20 + "and TCK9"

    said = [cut(pieces, 128, OWN) for pieces in ([text], list(text))]

    assert said == ["see <own>, " * 20 + "and <own>"] * 2


def test_what_may_stay_stays() -> None:
    """A find that is only reported is not touched."""
    seen: list[tuple[str, str]] = []

    def report(detector: str, value: str) -> None:
        seen.append((detector, value))

    said = rewritten(Plain(Cut(EVERYTHING, report, 128)), ["mail a@b.com", " now"])

    assert said == "mail a@b.com now"
    assert seen == [("email", "a@b.com")]


def test_nothing_to_look_for() -> None:
    """Without detectors a text passes as it is."""
    nothing = Inspector([], PATTERNS)

    assert cut(["mail a@b.com ", "x"], given=nothing) == "mail a@b.com x"
    assert (nothing.find("a@b.com"), nothing.is_clean(b'"a@b.com"')) == ((), True)

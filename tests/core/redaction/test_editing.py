"""Edits are carried out the same however a text is cut, in plain text and in JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.redaction.editing import Chain, Given, InJson, Plain, Rewriter, in_json, plain_of
from app.core.redaction.placeholders import PLACEHOLDER, Restore, Vault, label_of, meaning_of, meanings_in

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NEAR_PLACEHOLDERS = st.lists(
    st.sampled_from(
        [
            "[",
            "]",
            "[EMAIL_1]",
            "[EMAIL_",
            "1]",
            "[email 2]",
            "[Email\\_1]",
            "\\",
            '"',
            "\n",
            " ",
            "é",
            "😀",
            "x",
            "[[",
            "_",
        ]
    ),
    max_size=20,
).map("".join)


def cuts(text: str, places: Sequence[int]) -> list[str]:
    """Cut a text at these places."""
    at = sorted({place % (len(text) + 1) for place in places})
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


def rewritten(rewriter: Rewriter, pieces: Sequence[str]) -> str:
    """Return what a rewriter makes of pieces."""
    return "".join([*map(rewriter.feed, pieces), rewriter.end()])


def vault_with(*values: str) -> Vault:
    """Return a vault in which these are addresses."""
    vault = Vault()
    for value in values:
        vault.put("email", value)
    return vault


def escaped(text: str, *, by_number: bool) -> str:
    """Spell a text inside of JSON, with as many escapes as there can be or as few."""
    if not by_number:
        return in_json(text)
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


@given(NEAR_PLACEHOLDERS, st.lists(st.integers(0, 200), max_size=8))
def test_restoring_does_not_depend_on_the_pieces(text: str, places: list[int]) -> None:
    """Whole or in pieces, the same text comes back."""
    vault = vault_with("a@b.com", "c@d.org")

    whole, pieces = (rewritten(Plain(Restore(vault)), cuts(text, where)) for where in ([], places))

    assert pieces == whole


@given(NEAR_PLACEHOLDERS, st.lists(st.integers(0, 400), max_size=8), st.booleans())
def test_restoring_in_json_does_not_depend_on_the_pieces(text: str, places: list[int], by_number: bool) -> None:
    """Whole or in pieces, also in the middle of an escape; what comes out is the restored text, in JSON."""
    vault = vault_with('a"b\\c@d.com', "line\nbreak")
    spelled = escaped(text, by_number=by_number)

    pieces = rewritten(InJson(Restore(vault)), cuts(spelled, places))

    assert msgspec.json.decode(f'"{pieces}"') == rewritten(Plain(Restore(vault)), [text])


@given(TEXT)
def test_json_that_holds_nothing_keeps_its_spelling(text: str) -> None:
    """Escapes that need not be there stay as they were written."""
    spelled = escaped(text, by_number=True)

    assert rewritten(InJson(Restore(vault_with("a@b.com"))), [spelled]) == spelled


@given(TEXT)
@example("😀")
def test_json_reads_as_its_text(text: str) -> None:
    """What an editor sees of JSON are the characters that it stands for."""
    assert plain_of(escaped(text, by_number=False)) == text
    assert plain_of(escaped(text, by_number=True)) == text


@pytest.mark.parametrize(
    "spelled", ["\\ud83d", "\\ud83dx", "a\\", "\\u12", "\\q", "\\ud83d\\ud83d\\ude00", "\\ude00", "\\\\ud83d"]
)
def test_what_is_no_json_passes_unchanged(spelled: str) -> None:
    """Half a character, or an escape that there is not, is nobody's reason to lose anything."""
    for places in ([], [1], [2], [3, 6], list(range(12))):
        assert rewritten(InJson(Restore(vault_with("a@b.com"))), cuts(spelled, places)) == spelled


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        ("[EMAIL_1]", "a@b.com"),
        ("[email_1] [Email 1] [EMAIL\\_1] [EMAIL-1] [ EMAIL_1]", "a@b.com a@b.com a@b.com a@b.com [ EMAIL_1]"),
        ("[EMAIL_2] EMAIL_1 [EMAIL_1 [EMAIL1x]", "[EMAIL_2] EMAIL_1 [EMAIL_1 [EMAIL1x]"),
        ("[[EMAIL_1]](mailto:[EMAIL_1])", "[a@b.com](mailto:a@b.com)"),
    ],
)
def test_spellings(text: str, restored: str) -> None:
    """A model may change case and separators; whatever else stands in brackets stays."""
    assert rewritten(Plain(Restore(vault_with("a@b.com"))), [text]) == restored


def test_only_what_may_be_a_placeholder_is_held_back() -> None:
    """Text goes out at once, up to a bracket that may begin one, and no longer than one can be."""
    rewriter = Plain(Restore(vault_with("a@b.com")))

    said = [rewriter.feed(piece) for piece in ("to ", "[EM", "AIL_1", "] and [", "1] ", "[x", "y" * 70)]

    assert said == ["to ", "", "", "a@b.com and ", "[1] ", "", "[x" + "y" * 70]
    assert rewriter.is_idle


def test_a_vault_counts_and_remembers() -> None:
    """The same value has one placeholder; numbers of one kind count up, and pass by what the text itself holds."""
    vault = Vault(meanings_in("see [Email 2] and [PHONE_1]"))

    given = [
        vault.put(*pair) for pair in (("email", "a"), ("email", "b"), ("email", "a"), ("phone", "c"), ("secrets", "d"))
    ]

    assert given == ["[EMAIL_1]", "[EMAIL_3]", "[EMAIL_1]", "[PHONE_2]", "[SECRET_1]"]
    assert (len(vault), repr(vault)) == (4, "Vault(4 values)")
    assert [vault.get("email-3"), vault.get("EMAIL_2")] == ["b", None]


def test_a_vault_with_names() -> None:
    """A value is called by a few digits, and by more of them where those are another's already."""
    digits = {"a": "1234567890", "b": "1234567899", "c": "00000000ff"}
    vault = Vault(name=lambda _detector, value: digits[value])

    given = [vault.put("email", value) for value in "abac"]

    assert given == ["[EMAIL_12345678]", "[EMAIL_123456789]", "[EMAIL_12345678]", "[EMAIL_00000000]"]
    assert [vault.get("email 12345678"), vault.get("EMAIL_123456789"), vault.get("EMAIL_1")] == ["a", "b", None]


def test_names_that_end_in_digits_are_told_apart() -> None:
    """The first of `a1` and the eleventh of `a` would read alike, so one of them has another number."""
    vault = Vault()

    given = [*[vault.put("a", str(number)) for number in range(11)], vault.put("a1", "x")]

    assert (given[10], given[11]) == ("[A_11]", "[A1_2]")
    assert label_of("secrets") == "SECRET"
    assert PLACEHOLDER.fullmatch(given[11])
    assert meaning_of("A1_2") == "a12"


def test_chains_and_given_edits() -> None:
    """One rewriter after the other, each to its end."""
    first, second = vault_with("[PHONE_1]"), Vault()
    second.put("phone", "123")
    chain = Chain([Plain(Restore(first)), Plain(Restore(second))])

    said = [chain.feed("x [EMA"), chain.is_idle, chain.feed("IL_1] ["), chain.end(), chain.is_idle]
    edited = rewritten(Plain(Given([(1, None), (2, "-"), (1, None)])), ["abcd"])

    assert said == ["x ", False, "123 ", "[", True]
    assert edited == "a-d"

"""Tool calls of a stream in order: what passes at once, what waits, and what is told in the end."""

from __future__ import annotations

from app.api.dialects.sequential_tool_calls import OneAtATime
from app.core.model import CustomDelta, FunctionCall, ToolDelta


def piece(index: int, arguments: str | None, name: str | None = None) -> ToolDelta:
    """Return a piece of a call."""
    return ToolDelta(index, FunctionCall(arguments, name))


def told(given: list[ToolDelta]) -> list[list[ToolDelta]]:
    """Return what is told of each piece, and last what is told in the end."""
    turns = OneAtATime()
    return [*[list(turns.take(each)) for each in given], list(turns.rest())]


def test_calls_in_a_row_pass_as_they_come() -> None:
    """Nothing waits where one call ends before the next begins."""
    row = [piece(0, "", "a"), piece(0, '{"x":'), piece(0, "1}"), piece(1, "{}", "b"), piece(2, "{}", "c")]

    assert told(row) == [[each] for each in row] + [[]]


def test_what_comes_between_waits_for_its_turn() -> None:
    """A call that begins too early is told as soon as the one before it is complete, and so is the next."""
    a, b, c = piece(0, "", "a"), piece(1, "{}", "b"), piece(2, "{", "c")

    assert told([a, b, c, piece(0, "{}"), piece(2, "}")]) == [[a], [], [], [piece(0, "{}"), b, c], [piece(2, "}")], []]


def test_arguments_that_never_end_hold_others_until_the_end() -> None:
    """Nothing is lost of an answer that was cut off in a call, or whose call says nothing."""
    a, b, c = piece(0, None, "a"), piece(1, '{"x', "b"), piece(2, "{}", "c")

    assert told([a, b, c]) == [[a], [], [], [b, c]]


def test_braces_in_the_middle_are_no_end() -> None:
    """Arguments are complete when they are JSON, not when they end with a brace."""
    a, more, b = piece(0, '{"x":{}', "a"), piece(0, "}"), piece(1, "{}", "b")

    assert told([a, b, more]) == [[a], [], [more, b], []]


def test_free_text_is_complete_when_another_call_begins() -> None:
    """Where a custom tool's text ends cannot be seen."""
    custom, more = ToolDelta(0, id="c", custom=CustomDelta("free", "x")), ToolDelta(0, custom=CustomDelta(" text"))
    b = piece(1, "{}", "b")

    assert told([custom, more, b]) == [[custom], [more], [b], []]

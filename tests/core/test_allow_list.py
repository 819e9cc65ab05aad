"""Lists of models with stars in them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.allow_list import AllowList


@pytest.mark.parametrize(
    ("patterns", "name", "allowed"),
    [
        (("fast", "openai/*"), "fast", True),
        (("fast", "openai/*"), "openai/gpt-4o", True),
        (("fast", "openai/*"), "openai/ft:gpt/x", True),
        (("fast", "openai/*"), "openai/", True),
        (("fast", "openai/*"), "openai", False),
        (("fast", "openai/*"), "Fast", False),
        (("fast", "openai/*"), "faster", False),
        (("fast", "openai/*"), "notopenai/gpt-4o", False),
        (("*",), "anything/at:all", True),
        (("*-mini",), "gpt-4o-mini", True),
        (("*-mini",), "gpt-4o-mini-2", False),
        (("a*a",), "a", False),
        (("a*b*c",), "a-b-c", True),
        (("a*b*c",), "a-c-b", False),
        (("a*b*c",), "a-c", False),
        (("gpt-4.?",), "gpt-4.1", False),
        (("[ab]",), "a", False),
        ((), "fast", False),
    ],
)
def test_what_a_list_allows(patterns: tuple[str, ...], name: str, allowed: bool) -> None:
    """A star stands for any text, also none; everything else for itself."""
    assert AllowList(patterns).allows(name) is allowed


@given(st.lists(st.text("ab*", max_size=8), max_size=4), st.text("ab", max_size=12))
def test_a_list_is_as_its_regular_expressions_say(patterns: list[str], name: str) -> None:
    """The search from left to right finds what backtracking would."""
    expressions = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]

    assert AllowList(patterns).allows(name) is any(re.fullmatch(each, name) is not None for each in expressions)

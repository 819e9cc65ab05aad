"""
Differences between Claude's generations that affect how requests are written.

The generation is part of the name (`claude-opus-4-7`, `claude-3-7-sonnet-latest`, also with a platform's prefix and
date). Claude names without one get the newest rules, models of compatible servers those of `COMPATIBLE`.
Facts from https://platform.claude.com/docs/en/about-claude/models, and .../build-with-claude on thinking and effort.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

import msgspec

Version: TypeAlias = tuple[int, int]

_MODERN = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)")
_FIRST = re.compile(r"claude-(?P<major>\d)(?:[-.](?P<minor>\d))?(?:-(?P<family>[a-z]+))?(?!\d)")
_NEWEST: Final[Version] = (99, 0)
_THINKS: Final[Version] = (3, 7)
_STRUCTURED: Final[Version] = (4, 1)
_ADAPTIVE: Final[Version] = (4, 6)
_UNSAMPLED: Final[Version] = (4, 7)  # from here on sampling parameters are refused, and thoughts hidden by default
_INSTRUCTED_LATE: Final[Version] = (4, 8)
_NEVER_IDLE: Final = frozenset({"fable", "mythos"})  # thinking cannot be switched off
_SHORT, _MEDIUM, _LONG = 4096, 8192, 32_000  # answer tokens that every model of a generation supports


class Traits(msgspec.Struct, frozen=True):
    """
    The capabilities of one model.

    Attributes:
        thinking: By a budget of tokens, by effort (`adaptive`), or not at all.
        always_thinks: Whether thinking cannot be disabled.
        hides_thoughts: Whether thoughts are sent only on request.
        sampling: Whether it takes `temperature`, `top_p` and `top_k`.
        one_sampling: Whether it takes `temperature` or `top_p`, but not both.
        structured: Whether it supports answers by JSON schema.
        very_high_effort: Whether it knows the effort `xhigh`.
        late_system: Whether a system message may follow a user's.
        answer_max_tokens: Default of `max_tokens`, which the API requires.
    """

    thinking: Literal["budget", "adaptive", "none"]
    always_thinks: bool
    hides_thoughts: bool
    sampling: bool
    one_sampling: bool
    structured: bool
    very_high_effort: bool
    late_system: bool
    answer_max_tokens: int


COMPATIBLE: Final = Traits("budget", False, False, True, False, True, False, False, _MEDIUM)  # noqa: FBT003 - a table


def traits_of(model: str) -> Traits:
    """Return the traits of the model of this name."""
    name = model.lower()
    if "claude" not in name:
        return COMPATIBLE
    family, version = _generation(name)
    modern = version >= _UNSAMPLED
    return Traits(
        thinking="adaptive" if version >= _ADAPTIVE else "budget" if version >= _THINKS else "none",
        always_thinks=family in _NEVER_IDLE,
        hides_thoughts=modern,
        sampling=not modern,
        one_sampling=True,
        structured=version >= _STRUCTURED,
        very_high_effort=modern,
        late_system=version >= _INSTRUCTED_LATE and (family, version) != ("sonnet", (5, 0)),
        answer_max_tokens=_LONG if version >= _THINKS else _MEDIUM if version >= (3, 5) else _SHORT,
    )


def _generation(name: str) -> tuple[str, Version]:
    found = _MODERN.search(name) or _FIRST.search(name)
    if found is None:
        return "", (2, 0) if "instant" in name else _NEWEST
    return found["family"] or "", (int(found["major"]), int(found["minor"] or 0))

"""The result of one check."""

from __future__ import annotations

from enum import Enum

import msgspec

_SKEW_MAX_S = 5.0  # more makes signatures, tokens and budgets wrong


class Verdict(Enum):
    """OK: nothing to do; WARNING: works, but not for long or not for everybody; WRONG: must be fixed."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What was checked, its state in words, and what to do about it (empty: nothing)."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def fine(subject: str, found: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(subject, Verdict.OK, found)


def doubtful(subject: str, found: str, advice: str) -> Finding:
    """Return a warning: works, but not for long or not for everybody."""
    return Finding(subject, Verdict.WARNING, found, advice)


def wrong(subject: str, found: str, advice: str) -> Finding:
    """Return a finding that must be fixed."""
    return Finding(subject, Verdict.WRONG, found, advice)


def skewed(ahead_s: float | None, other: str, advice: str) -> list[Finding]:
    """Return a warning if the clock of `other` is ahead of ours by too much; None is a clock that nobody could read."""
    if ahead_s is None or abs(ahead_s) <= _SKEW_MAX_S:
        return []
    return [doubtful("clock", f"{abs(ahead_s):.0f} s {'behind' if ahead_s > 0 else 'before'} that of {other}", advice)]

"""One thing that was looked at, and what is to be said of it."""

from __future__ import annotations

from enum import Enum

import msgspec


class Verdict(Enum):
    """OK is well; WARNING works, but will not do for long or for everybody; WRONG has to be mended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, in words, and what to do about it (empty where nothing is to be done)."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def fine(subject: str, found: str) -> Finding:
    """Say that something is well."""
    return Finding(subject, Verdict.OK, found)


def doubtful(subject: str, found: str, advice: str) -> Finding:
    """Say that something will not do for long or for everybody."""
    return Finding(subject, Verdict.WARNING, found, advice)


def wrong(subject: str, found: str, advice: str) -> Finding:
    """Say that something has to be mended."""
    return Finding(subject, Verdict.WRONG, found, advice)

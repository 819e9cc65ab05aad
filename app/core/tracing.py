"""
What a call knows of its own trace: the span that whatever happens to it now belongs to.

Only calls that are sampled have one. Stages do not care: those that make spans stand around them where tracing is on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | float | bool | tuple[str, ...]]  # never content
NO_ATTRIBUTES: Final[Attributes] = MappingProxyType({})
# A caller's `traceparent`: the ids of its trace and span, and flags (https://www.w3.org/TR/trace-context/). A later
# version may have more behind a further dash; whatever does not match is no context, and its `tracestate` neither.
PARENT: Final = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


class Span(Protocol):
    """
    A piece of a traced call's work, from its making to `end`.

    The numbers are the tracing stages' own notes: how many targets were asked below it, how many of them are not done
    with, and how many tries there were.
    """

    targets: int
    targets_open: int
    tries: int

    @property
    def trace_id(self) -> str:
        """Return the trace's id, 32 hexadecimal digits."""

    @property
    def traceparent(self) -> str:
        """Return the header of W3C's trace context that names this span as the parent."""

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, client: bool = False) -> Span:
        """Begin a span below this one; `client` says that it is a request to somebody else."""

    def add(self, attributes: Attributes) -> None:
        """Say more about it; what comes after its end is left out."""

    def end(self, error: BaseException | None = None) -> None:
        """End it, with what it ended by; only the first time counts."""

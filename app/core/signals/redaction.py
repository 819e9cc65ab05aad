"""What was taken out of requests and answers: what kind of thing, and how often, and never what."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Redacted(msgspec.Struct, frozen=True):
    """
    One side of a call, its prompt or its answer, held things that a detector looks for.

    Sent once for each detector, for an answer at its end; `action` is what became of them.
    """

    request_id: str
    side: str
    detector: str
    action: str
    count: int


RedactionSignal: TypeAlias = Redacted

"""What was taken out of requests and answers: what kind of thing, and how often, and never what."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Redacted(msgspec.Struct, frozen=True):
    """
    One call held things that are looked for; sent once for its prompt and once for its answer, at its end.

    `found` counts them by detector; `actions` names what became of them.
    """

    request_id: str
    side: Literal["prompt", "answer"]
    found: tuple[tuple[str, int], ...]
    actions: tuple[str, ...]


RedactionSignal: TypeAlias = Redacted

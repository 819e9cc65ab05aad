"""The gateway's own response headers, on answers and on refusals alike."""

from __future__ import annotations

from typing import TypeAlias

from app.core.call import Call, Journal

Headers: TypeAlias = list[tuple[bytes, bytes]]
_NAME_MAX_CHARS = 256


def answer_headers(call: Call, committed: float) -> Headers:
    """Return the headers of an answer whose commit point was at `committed`."""
    overhead_ms = call.overhead_s(committed) * 1000
    return [
        (b"x-request-id", call.id.encode()),
        *journal_headers(call.journal),
        (b"x-wizard-overhead-ms", b"%.3f" % overhead_ms),
    ]


def journal_headers(journal: Journal) -> Headers:
    """Return the headers that say where a call went; none if it never reached a target."""
    if journal.target is None:
        return []
    hedge = [(b"x-wizard-hedge", journal.hedge.encode())] if journal.hedge is not None else []
    return [
        (b"x-wizard-provider", _visible(journal.target.provider)),
        (b"x-wizard-model", _visible(journal.target.model)),
        (b"x-wizard-attempts", b"%d" % journal.attempts),
        (b"x-wizard-fallback", b"%d" % journal.position),
        *hedge,
    ]


def _visible(name: str) -> bytes:
    """Spell a name that a caller may have chosen so that it cannot break a header, nor a client that bounds them."""
    name = name[:_NAME_MAX_CHARS]
    if name.isascii() and name.isprintable():
        return name.encode()
    return "".join(char if " " <= char <= "~" else "?" for char in name).encode()

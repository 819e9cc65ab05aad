"""The gateway's own response headers, on answers and on refusals alike."""

from __future__ import annotations

from typing import TypeAlias

from app.core.call import Call, Journal

Headers: TypeAlias = list[tuple[bytes, bytes]]
_NAME_MAX_CHARS = 256


def answer_headers(call: Call, committed: float) -> Headers:
    """Return the headers of an answer whose commit point was at `committed`."""
    overhead_ms = call.overhead_s(committed) * 1000
    headers = [
        (b"x-request-id", call.id.encode()),
        *journal_headers(call.journal),
        (b"x-wizard-overhead-ms", b"%.3f" % overhead_ms),
    ]
    if call.journal.cost.usd is not None and not call.request.stream:  # of a stream it is known only at its end
        headers.append((b"x-wizard-cost-usd", b"%.8f" % call.journal.cost.usd))
    return headers


def journal_headers(journal: Journal) -> Headers:
    """Return the headers that say where a call went, as far as it came, and what stages have to say about it."""
    headers: Headers = []
    if journal.target is not None:
        headers += [
            (b"x-wizard-provider", _visible(journal.target.provider)),
            (b"x-wizard-model", _visible(journal.target.model)),
            (b"x-wizard-attempts", b"%d" % journal.attempts),
            (b"x-wizard-fallback", b"%d" % journal.position),
        ]
    if journal.hedge is not None:
        headers.append((b"x-wizard-hedge", journal.hedge.encode()))
    if journal.cache is not None:
        headers.append((b"x-wizard-cache", journal.cache.encode()))
    if journal.dropped:
        headers.append((b"x-wizard-dropped-params", _visible(",".join(journal.dropped))))
    if journal.notes:
        headers += [(name.encode(), _visible(value)) for name, value in journal.notes.items()]
    return headers


def _visible(name: str) -> bytes:
    """Spell a name that a caller may have chosen so that it cannot break a header, nor a client that bounds them."""
    name = name[:_NAME_MAX_CHARS]
    if name.isascii() and name.isprintable():
        return name.encode()
    return "".join(char if " " <= char <= "~" else "?" for char in name).encode()

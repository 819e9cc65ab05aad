"""Build the gateway's own response headers, for answers and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from app.core.call import Call, Journal, Target
from app.core.gcra import US_PER_S
from app.core.request_log import Step
from app.core.rules import Measure, Standing

Headers: TypeAlias = list[tuple[bytes, bytes]]
_NAME_MAX_CHARS = 256
_TARGETS_CACHED = 1024
_STEPS_MAX_BYTES = 4000  # most clients and proxies limit all headers of a response to 8 KB
_REQUESTS, _TOKENS = (
    tuple(b"x-ratelimit-%b-%b" % (part, measure) for part in (b"limit", b"remaining", b"reset"))
    for measure in (b"requests", b"tokens")
)
_SECOND_MS, _MINUTE_S, _HOUR_S = 1000, 60, 3600


def answer_headers(call: Call, committed: float) -> Headers:
    """Return the headers of an answer; `committed` is the time of its commit point."""
    headers = [(b"x-request-id", call.id.encode()), *journal_headers(call.journal), overhead_header(call, committed)]
    if call.journal.cost.usd is not None and not call.request.stream:  # a stream's is known only at its end
        headers.append((b"x-wizard-cost-usd", b"%.8f" % call.journal.cost.usd))
    return headers


def overhead_header(call: Call, committed: float) -> tuple[bytes, bytes]:
    """Return the header with the gateway's own share of the time up to `committed`: the commit point, or the end."""
    return b"x-wizard-overhead-ms", b"%.3f" % (call.overhead_s(committed) * 1000)


def journal_headers(journal: Journal) -> Headers:
    """Return the headers about target, cache, limits and steps, as far as the stages recorded them."""
    headers: Headers = []
    if journal.target is not None:
        headers += _target_headers(journal.target, journal.attempts, journal.position)
    if journal.hedge is not None:
        headers.append((b"x-wizard-hedge", journal.hedge.encode()))
    if journal.cache is not None or journal.target is not None:
        headers.append((b"x-wizard-cache", (journal.cache or "bypass").encode()))
    if journal.limits:
        headers += limit_headers(journal.limits)
    if journal.dropped:
        headers.append((b"x-wizard-dropped-params", _visible(",".join(journal.dropped))))
    if journal.story is not None:
        headers.append((b"x-wizard-debug", _encoded_steps(journal.story)))
    if journal.notes:
        headers += [(name.encode(), _visible(value)) for name, value in journal.notes.items()]
    return headers


@lru_cache(_TARGETS_CACHED)  # most calls share a few targets
def _target_headers(target: Target, attempts: int, position: int) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-wizard-provider", _visible(target.provider)),
        (b"x-wizard-model", _visible(target.model)),
        (b"x-wizard-attempts", b"%d" % attempts),
        (b"x-wizard-fallback", b"%d" % position),
    )


def limit_headers(standings: Sequence[Standing]) -> Headers:
    """
    Return `x-ratelimit-*` as OpenAI sends them, for the rule of each measure with the least remaining.

    The limit is the bucket's capacity; reset is the time until it is full again. Shadow rules are left out, as they
    refuse nothing.
    """
    requests: Standing | None = None
    tokens: Standing | None = None
    for each in standings:
        rule = each.claim.rule
        if rule.shadow:
            continue
        if rule.measure is Measure.REQUESTS:
            requests = each if requests is None else min(requests, each, key=_tightness)
        elif rule.measure is Measure.TOKENS:
            tokens = each if tokens is None else min(tokens, each, key=_tightness)
    return [*_bucket_headers(_REQUESTS, requests), *_bucket_headers(_TOKENS, tokens)]


def duration(us: int) -> bytes:
    """Write microseconds as OpenAI does: `0s`, `20ms`, `8.64s`, `6m0s`, `24h0m0s`; rounded up."""
    ms = -(-us // 1000)
    if 0 < ms < _SECOND_MS:
        return b"%dms" % ms
    if ms < _MINUTE_S * _SECOND_MS:
        return (b"%.3f" % (ms / _SECOND_MS)).rstrip(b"0").rstrip(b".") + b"s"
    whole = -(-us // US_PER_S)
    minutes, rest = divmod(whole, _MINUTE_S)
    if whole < _HOUR_S:
        return b"%dm%ds" % (minutes, rest)
    return b"%dh%dm%ds" % (*divmod(minutes, 60), rest)


def _tightness(standing: Standing) -> tuple[int, int]:
    return standing.remaining, -standing.used


def _bucket_headers(names: Sequence[bytes], standing: Standing | None) -> Sequence[tuple[bytes, bytes]]:
    if standing is None:
        return ()
    limit, remaining, reset = names
    return (
        (limit, b"%d" % standing.claim.rule.most),
        (remaining, b"%d" % standing.remaining),
        (reset, duration(standing.used)),
    )


def _encoded_steps(steps: Sequence[Step]) -> bytes:
    """Encode the steps as ASCII JSON for a header; if they are too long, steps in the middle are left out."""
    encoded = [_ascii(msgspec.json.encode(step.shown())) for step in steps]
    while sum(map(len, encoded)) + len(encoded) > _STEPS_MAX_BYTES:
        del encoded[len(encoded) // 2]
    return b"[%b]" % b",".join(encoded)


def _ascii(encoded: bytes) -> bytes:
    return encoded if encoded.isascii() else encoded.decode().encode("ascii", "backslashreplace")


def _visible(name: str) -> bytes:
    """Encode a name that a caller may have chosen as printable ASCII of bounded length, safe in a header."""
    name = name[:_NAME_MAX_CHARS]
    if name.isascii() and name.isprintable():
        return name.encode()
    return "".join(char if " " <= char <= "~" else "?" for char in name).encode()

"""Find out whether a provider answers, takes its key, and what it has, without asking a model anything."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

import msgspec

from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.ports import HttpRequest, UpstreamClient
from app.providers.canonical.decoding import heard_or
from app.providers.discovery import LIST_MAX_BYTES, Models
from app.providers.fetch import ask

PROBE_S: Final = 10.0  # a provider far away that takes longer to list its models is as good as down
Headers: TypeAlias = tuple[tuple[str, str], ...]


class Probed(msgspec.Struct, frozen=True):
    """
    What a provider said to `GET {base_url}/models`.

    `status` is None, and `reason` a phrase, if it did not answer; `models` are None if it does not list them. `ahead_s`
    is how far the provider's clock is before this machine's.
    """

    status: int | None
    reason: str
    latency_s: float
    models: tuple[str, ...] | None = None
    ahead_s: float | None = None


async def probe(base_url: str, headers: Headers, client: UpstreamClient, clock: Clock) -> Probed:
    """Ask once, with the headers that calls would carry; never raises for what the provider does."""
    began = clock.now()
    request = HttpRequest("GET", f"{base_url}/models", headers, b"", PROBE_S)
    try:
        found = await ask(client, request, PROBE_S, LIST_MAX_BYTES)
    except GatewayError as error:
        return Probed(None, error.message, clock.now() - began)
    took_s = clock.now() - began
    ahead_s = _ahead_s(found.headers.get("date"), clock.wall() - took_s / 2)
    return Probed(found.status, "", took_s, heard_or(Models(), found.body).labels, ahead_s)


def _ahead_s(date: str | None, wall_s: float) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - wall_s
    except ValueError:
        return None

"""
Lists the models of servers: those on this machine once at the start, configured ones periodically.

No call ever waits for this; unknown models are just not listed. The same request, sent once with the headers of calls,
checks whether a provider answers and accepts its key (`probe`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.ports import HttpRequest, Signer, UpstreamClient
from app.providers.background import Background
from app.providers.canonical.decoding import UNREADABLE, heard_or
from app.providers.fetch import ask

_HERE_S = 1.0  # a server on this machine answers in milliseconds or refuses at once; a busy machine takes longer
_ASK_S = 10.0  # generous for a remote provider
_HERE_MAX_BYTES = 1_048_576
_LIST_MAX_BYTES = 4_194_304  # OpenRouter's is half of that


class _Here(msgspec.Struct, frozen=True):
    id: str


class _ListHere(msgspec.Struct, frozen=True):
    """The answer by which a model server on this machine is recognized among other services."""

    data: list[_Here] | None  # Ollama writes null while it has none


class _Model(msgspec.Struct, frozen=True):
    """A model as OpenAI's servers list it (`id`), or Google's and Cohere's (`name`)."""

    id: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """Return the name to use in calls."""
        return self.id or self.name.removeprefix("models/")


class Models(msgspec.Struct, frozen=True):
    """A list of models, in any of these forms."""

    data: list[_Model] | None = None
    models: list[_Model] | None = None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Return the names of all models, each once; None if there is no list."""
        listed = self.models if self.data is None else self.data
        if listed is None:
            return None
        return tuple(dict.fromkeys([model.label for model in listed if model.label]))


class Source(msgspec.Struct, frozen=True):
    """A provider whose list of models is read every `every_s` seconds."""

    name: str
    request: HttpRequest
    client: UpstreamClient
    signer: Signer | None
    every_s: float


class Discovered(dict[str, tuple[str, ...]]):
    """The models that providers reported, by provider name."""


class Discoverer:
    """Keeps the models that providers report in `found`."""

    def __init__(self, found: Discovered, clock: Clock) -> None:
        self._found = found
        self._clock = clock
        self._background = Background()

    def follow(self, sources: Iterable[Source]) -> None:
        """Query these providers from now on, and forget all others."""
        wanted = tuple(sources)
        for name in self._found.keys() - {source.name for source in wanted}:
            del self._found[name]
        self._background.run([self._ask(source) for source in wanted])

    async def aclose(self) -> None:
        """Stop."""
        await self._background.aclose()

    async def _ask(self, source: Source) -> None:
        while True:
            models = await _labels(source)
            if models is not None:
                self._found[source.name] = models
            await self._clock.sleep(source.every_s)


async def _labels(source: Source) -> tuple[str, ...] | None:
    """Return the models of a provider, or None if it did not answer; its previous list then stays."""
    try:
        request = source.request if source.signer is None else await source.signer.sign(source.request)
        found = await ask(source.client, request, _ASK_S, _LIST_MAX_BYTES)
        return msgspec.json.decode(found.body, type=Models).labels or () if found.status == HTTPStatus.OK else None
    except (GatewayError, *UNREADABLE):
        return None


async def discover(addresses: Mapping[str, str], client: UpstreamClient) -> dict[str, tuple[str, ...]]:
    """
    Return the models of each server that answers `GET {base_url}/models` at once; `addresses` are base URLs by name.
    """
    found = await asyncio.gather(*(_models(address, client) for address in addresses.values()))
    return {name: models for name, models in zip(addresses, found, strict=True) if models is not None}


async def _models(address: str, client: UpstreamClient) -> tuple[str, ...] | None:
    request = HttpRequest("GET", f"{address}/models", (("accept", "application/json"),), b"", _HERE_S)
    try:
        found = await ask(client, request, _HERE_S, _HERE_MAX_BYTES)
        if found.status != HTTPStatus.OK:
            return None
        return tuple([model.id for model in msgspec.json.decode(found.body, type=_ListHere).data or ()])
    except (GatewayError, *UNREADABLE):
        return None


class Probed(msgspec.Struct, frozen=True):
    """
    The result of `GET {base_url}/models`.

    If there was no answer, `status` is None and `reason` a phrase; `models` is None if it lists none. `ahead_s` is how
    far the provider's clock is ahead of this machine's.
    """

    status: int | None
    reason: str
    latency_s: float
    models: tuple[str, ...] | None = None
    ahead_s: float | None = None


async def probe(base_url: str, headers: tuple[tuple[str, str], ...], client: UpstreamClient, clock: Clock) -> Probed:
    """Query once, with the headers of calls; errors of the provider are results, not exceptions."""
    began = clock.now()
    request = HttpRequest("GET", f"{base_url}/models", headers, b"", _ASK_S)
    try:
        found = await ask(client, request, _ASK_S, _LIST_MAX_BYTES)
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

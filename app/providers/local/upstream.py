"""The `UpstreamClient` of the built-in model: an ordinary client, told where the model's process is right now."""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.errors import TARGET_MISCONFIGURED, TARGET_MODEL_MISSING, GatewayError
from app.core.ports import HttpRequest, UpstreamClient, UpstreamReply
from app.providers.local.supervisor import LocalModel
from app.providers.local.wheels import LOCAL_MODELS

LOCAL_ORIGIN: Final = "http://local"


class _Named(msgspec.Struct, frozen=True):
    model: str


class LocalUpstream:
    """
    Sends what is addressed to `http://local` to the built-in model.

    Each call has a connection of its own: llama.cpp closes idle ones after five seconds and any after a hundred calls,
    which may be just when the next call is sent.
    """

    def __init__(self, model: LocalModel, client: UpstreamClient) -> None:
        self._model = model
        self._client = client
        self._named = msgspec.json.Decoder(_Named)

    async def send(self, request: HttpRequest) -> UpstreamReply:
        """
        Send `request` once the model runs; see the port.

        Raises:
            GatewayError: TARGET_MODEL_MISSING (llama.cpp itself answers to any name), TARGET_UNAVAILABLE if the
                model does not run within the time for connecting, and those of the client.
        """
        self._require_known(request.body)
        address = await self._model.address(request.connect_s)
        headers = tuple(header for header in request.headers if header[0] != "authorization")
        return await self._client.send(
            msgspec.structs.replace(
                request,
                url=address.url + request.url.removeprefix(LOCAL_ORIGIN),
                headers=(*headers, ("authorization", f"Bearer {address.key}"), ("connection", "close")),
            )
        )

    def _require_known(self, body: bytes) -> None:
        try:
            name = self._named.decode(body).model
        except (ValueError, RecursionError):
            return  # not for us to judge: the server refuses what it cannot read
        if name not in LOCAL_MODELS:
            raise GatewayError(TARGET_MODEL_MISSING, f"The local provider has no model {name[:100]!r}.")


class AbsentModel:
    """Stands in where the built-in model cannot run, and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def send(self, request: HttpRequest) -> UpstreamReply:  # noqa: ARG002 - the port's signature
        """Refuse, always."""
        raise GatewayError(TARGET_MISCONFIGURED, f"There is no local model here: {self._reason}.")

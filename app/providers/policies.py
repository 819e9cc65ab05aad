"""What becomes of parameters that a dialect cannot express and that an answer can do without: `drop | error | pass`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from app.core.call import Target
from app.core.errors import GatewayError
from app.core.members import OBJECT
from app.core.model import ChatRequest, Completion, Request
from app.core.ports import Codec, Decoder, Encoded
from app.providers.canonical.losses import unsupported, with_extras

Policy: TypeAlias = Literal["drop", "error", "pass"]


class Strict:
    """
    A codec that loses no parameter in silence.

    Args:
        codec: The codec itself, which names what it drops.

        policy: `error` refuses the request, `pass` sends such parameters on as they are, for servers that know more
            than the codec.
    """

    def __init__(self, codec: Codec, policy: Literal["error", "pass"]) -> None:
        self._codec = codec
        self._policy = policy

    def encode(self, request: Request, target: Target) -> Encoded:
        """
        Return what the provider is sent; see the port.

        Raises:
            GatewayError: UNSUPPORTED_FEATURE also for parameters that would be dropped, where the policy is `error`.
        """
        encoded = self._codec.encode(request, target)
        if not encoded.dropped or not isinstance(request, ChatRequest):
            return encoded
        if self._policy == "error":
            raise unsupported(encoded.dropped[0], f"{target.name!r}")
        members = OBJECT.decode(request.raw)
        lost = {name: members[name] for name in encoded.dropped if name in members}
        body = with_extras(encoded.body, msgspec.Raw(msgspec.json.encode(lost)))
        return msgspec.structs.replace(encoded, body=body, dropped=())

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        return self._codec.decode(body, request)

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        return self._codec.decoder(request)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
        """Return the failure that a status outside 200 to 299 means."""
        return self._codec.error(status, headers, body, wall_s)

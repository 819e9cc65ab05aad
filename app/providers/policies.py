"""What becomes of parameters that a dialect cannot express and that an answer can do without: `drop | error | pass`."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from app.core.call import Target
from app.core.json_text import OBJECT
from app.core.model import ChatRequest, Request
from app.core.ports import Codec, Encoded
from app.providers.canonical.unsupported import unsupported, with_extras

Policy: TypeAlias = Literal["drop", "error", "pass"]


class Strict:
    """
    A codec that loses no parameter in silence.

    The policy `error` refuses the request; `pass` sends such parameters on as they are, to servers that know them.
    """

    def __init__(self, codec: Codec, policy: Literal["error", "pass"]) -> None:
        self._codec = codec
        self._policy = policy
        self.decode, self.decoder, self.error = codec.decode, codec.decoder, codec.error

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent, with nothing dropped; see the port."""
        encoded = self._codec.encode(request, target)
        if not encoded.dropped or not isinstance(request, ChatRequest):
            return encoded
        if self._policy == "error":
            raise unsupported(encoded.dropped[0], f"{target.name!r}")
        members = OBJECT.decode(request.raw)
        lost = {name: members[name] for name in encoded.dropped if name in members}
        body = with_extras(encoded.body, msgspec.Raw(msgspec.json.encode(lost)))
        return msgspec.structs.replace(encoded, body=body, dropped=())

"""`POST /v1/moderations`: the one operation whose clients need not name a model, as OpenAI lets them."""

from __future__ import annotations

from typing import Final

import msgspec

from app.api.hot import Arrival, HotRoute
from app.core.bodies import decode_as
from app.core.call import Call
from app.core.dialects.absent import ABSENT, is_given
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.gateway import EdgeOptions

_ADVICE: Final = (
    "Name a model that moderates, such as 'openai/omni-moderation-latest'; or have the operator configure a route "
    "'omni-moderation-latest', which then takes the requests that name none."
)


class ModerationsRoute(HotRoute):
    """Asks the gateway's own choice where a request names no model."""

    def call(self, arrival: Arrival, body: bytes, edge: EdgeOptions) -> Call:
        """Return what a request asks for; see the base class."""
        return super().call(arrival, _named(body, edge.moderation_model), edge)


class _Asked(msgspec.Struct, frozen=True):
    model: msgspec.Raw = ABSENT


def _named(body: bytes, model: str | None) -> bytes:
    """
    Return a body that names a model: as it is if it does, else with `model`.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST where there is no model to name.
    """
    if is_given(decode_as(_Asked, body).model):
        return body
    if model is None:
        raise GatewayError(INVALID_REQUEST, "Nothing here moderates unasked.", param="model", suggestion=_ADVICE)
    return msgspec.json.encode({**decode_as(dict[str, msgspec.Raw], body), "model": model})

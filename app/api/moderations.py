"""`POST /v1/moderations`: the only operation whose `model` is optional, as in OpenAI's API."""

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
    """Adds the configured moderation model to a request without a model."""

    def call(self, arrival: Arrival, body: bytes, edge: EdgeOptions) -> Call:
        """Return the call that a request asks for; see the base class."""
        return super().call(arrival, _with_model(body, edge.moderation_model), edge)


class _ModelField(msgspec.Struct, frozen=True):
    model: msgspec.Raw = ABSENT


def _with_model(body: bytes, model: str | None) -> bytes:
    """
    Return the body unchanged if it names a model, else with `model` added.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST if neither names a model.
    """
    if is_given(decode_as(_ModelField, body).model):
        return body
    if model is None:
        raise GatewayError(INVALID_REQUEST, "Nothing here moderates unasked.", param="model", suggestion=_ADVICE)
    return msgspec.json.encode({**decode_as(dict[str, msgspec.Raw], body), "model": model})

"""What a body has that its form does not allow, said with the path of the field."""

from __future__ import annotations

import re

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError

_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.+)`", re.DOTALL)
_SHOWN_MAX_CHARS = 100


def wrong_field(error: msgspec.ValidationError) -> GatewayError:
    """Turn msgspec's complaint into a message and the path of the field."""
    place = _PLACE.match(str(error))
    problem, path = (place["problem"], place["path"] or "") if place else (str(error), "")
    for pattern, words in ((_MISSING, "is missing"), (_UNKNOWN, "is unknown here")):
        found = pattern.match(problem)
        if found:
            field = found["field"][:_SHOWN_MAX_CHARS]
            path = f"{path}.{field}" if path else field
            return GatewayError(INVALID_REQUEST, f"The field {path!r} {words}.", param=path)
    if not path:
        return GatewayError(INVALID_REQUEST, f"The body is not a JSON object of the right form: {problem}.")
    return GatewayError(INVALID_REQUEST, f"The field {path!r} is wrong: {problem}.", param=path)

"""`web_search_options`: the search of the web that a provider does by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.core.dialects.absent import ABSENT, is_given
from app.core.errors import INVALID_REQUEST, GatewayError


def web_search(members: Mapping[str, msgspec.Raw]) -> dict[str, Any] | None:
    """
    Return the options, with the user's place nested once less than chat completions do; None if nothing is searched.
    """
    raw = members.get("web_search_options", ABSENT)
    if not is_given(raw):
        return None
    try:
        options: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError as error:
        message = "'web_search_options' must be an object."
        raise GatewayError(INVALID_REQUEST, message, param="web_search_options") from error
    place = options.get("user_location")
    if isinstance(place, dict) and isinstance(place.get("approximate"), dict):
        options["user_location"] = {"type": "approximate", **place["approximate"]}
    return options


def lost_of_search(options: Mapping[str, Any], carried: str = "") -> list[str]:
    """Return the options that ask for something and are not `carried`."""
    return [name for name, value in options.items() if name != carried and value not in (None, "medium")]

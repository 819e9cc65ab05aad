"""A name that a caller may have chosen, as one step of an address."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from app.core.errors import INVALID_REQUEST, GatewayError

_MOVES: Final = frozenset({".", ".."})  # which whoever is on the way may follow, escaped or not


def path_step(model: str) -> str:
    """
    Return `model` escaped so that it stays one step of a path.

    Raises:
        GatewayError: INVALID_REQUEST for a name that would lead elsewhere.
    """
    if model in _MOVES:
        raise GatewayError(INVALID_REQUEST, f"There is no model with the name {model!r}.", param="model")
    return quote(model, safe="")

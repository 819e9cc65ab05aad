"""
An ASGI app that answers every request alike: what uvicorn itself costs (`uvicorn loadtests.fixed:app`).

The server's share of a gateway's figures is this app's figure; it reads the body, as every gateway must.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from loadtests import messages

_BODY: Final = messages.completion()
_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))),
}
_END: Final = {"type": "http.response.body", "body": _BODY}


async def app(
    scope: MutableMapping[str, Any],  # noqa: ARG001 - the signature is ASGI's
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Read one request and send the fixed completion."""
    while (await receive()).get("more_body", False):
        pass
    await send(dict(_START))
    await send(dict(_END))

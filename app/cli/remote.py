"""Asks the administration of a gateway that is running."""

from __future__ import annotations

import argparse
from typing import Any, Final

import httpx2
import msgspec

from app.config.operator import TOKEN_VARIABLE, operator_token

URL: Final = "http://127.0.0.1:8080"
_LIMIT_S = 30.0


class RemoteError(Exception):
    """The gateway did not do what it was asked; the text is for people."""


class Gateway:
    """The administration at `url`, for whoever has its token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """
        Send one request to `path` below /admin, and return the answer.

        Raises:
            RemoteError: The gateway cannot be reached, or refuses.
        """
        content = None if body is None else msgspec.json.encode(body)
        address = f"{self._url}/admin{path}"
        try:
            answer = httpx2.request(
                method, address, headers=self._headers, content=content, timeout=_LIMIT_S, trust_env=False
            )
            found: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
        except httpx2.HTTPError as error:
            raise RemoteError(f"no gateway answers at {self._url}: {error}") from error
        except msgspec.DecodeError as error:
            raise RemoteError(f"what answers at {self._url} is no gateway") from error
        if answer.status_code != httpx2.codes.OK:
            raise RemoteError(_refusal(found.get("error"), answer.status_code))
        return found


def add_remote(parser: argparse.ArgumentParser) -> None:
    """Let the verb ask a gateway, as `gateway_of` does."""
    parser.add_argument("--url", metavar="URL", help=f"address of a running gateway; default {URL}")
    parser.add_argument("--token", help=f"its admin.token; default ${TOKEN_VARIABLE}")


def gateway_of(given: argparse.Namespace) -> Gateway:
    """Return the gateway that the flags name."""
    return Gateway(given.url or URL, given.token or operator_token())


def _refusal(error: object, status: int) -> str:
    if not isinstance(error, dict):
        return f"the gateway answers with status {status}"
    if status == httpx2.codes.NOT_FOUND and error.get("code") == "not_found" and "/admin" in str(error.get("message")):
        return "this gateway has no administration: set admin.token in its configuration"
    return f"{error.get('message')} {error.get('suggestion')}"

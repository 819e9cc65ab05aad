"""Client for the admin API of a running gateway."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import httpx2

from app.cli.progress import Progress
from app.cli.verbs import CommandError, add_config, add_json
from app.config.listening import places
from app.config.load import load
from app.config.surroundings import TOKEN_VARIABLE, operator_token
from app.core.errors import NOT_FOUND, UNAUTHORIZED

_PATIENCE_S = 30.0
_CAUSES: Final[Mapping[type[Exception], str]] = MappingProxyType(
    {
        httpx2.ConnectError: "nothing listens there, or it speaks no TLS",
        httpx2.ConnectTimeout: "it cannot be reached",
        httpx2.ReadTimeout: f"it said nothing for {_PATIENCE_S:g} s",
        httpx2.UnsupportedProtocol: "an address begins with http:// or https://",
    }
)


def add_remote(parser: argparse.ArgumentParser) -> None:
    """Add the flags that select a gateway, by default that of the configuration on this machine; and that for JSON."""
    add_config(parser)
    parser.add_argument("--url", help="address of the gateway; default that of the configuration")
    parser.add_argument("--token", help="admin token; default $WIZARD_ADMIN_TOKEN, or admin.token of the configuration")
    add_json(parser)


class Remote:
    """A running gateway, on this machine or elsewhere."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")  # the base URL of SDKs ends so
        self._token = token

    @classmethod
    def of(cls, args: argparse.Namespace) -> Remote:
        """
        Return the gateway that the flags select.

        Raises:
            ConfigError: The flags are incomplete, and the configuration is invalid.
        """
        token = operator_token() if args.token is None else args.token
        if args.url and token:
            return cls(args.url, token)
        settings = load(args.config).settings
        *_, admin_place = places(settings)
        return cls(args.url or admin_place.url, token or settings.admin.token.get_secret_value())

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Send a GET; see `send`."""
        return self.send("GET", path)

    def send(self, method: str, path: str, content: bytes = b"", query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """
        Send a request, and return the decoded JSON of the answer.

        Raises:
            CommandError: No gateway answers, or it refuses.
        """
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            with Progress(f"waiting for {self._url}"), httpx2.Client(trust_env=False, timeout=_PATIENCE_S) as client:
                answer = client.request(method, f"{self._url}{path}", headers=headers, content=content, params=query)
        except httpx2.TransportError as error:
            raise CommandError(
                f"no gateway answers at {self._url}: {_CAUSES.get(type(error), 'the connection broke')}\n"
                "  start one with 'wizard serve', or name another with --url"
            ) from error
        if answer.is_success:
            return answer.json()
        raise CommandError(_refusal(answer, self._url))


def _refusal(answer: httpx2.Response, url: str) -> str:
    try:
        error = answer.json()["error"]
        code, message, suggestion = error["code"], error["message"], error["suggestion"]
    except (ValueError, KeyError, TypeError):
        return f"{url} answers with {answer.status_code}, and not like a gateway"
    if code == NOT_FOUND.code and message.startswith(
        "There is nothing at '/admin"
    ):  # the route is missing, not an object
        advice = "set admin.token, ask at its admin.port, or update the gateway"
        return f"the gateway at {url} has no such administration\n  {advice}"
    if code == UNAUTHORIZED.code:
        return f"{message}\n  send it with --token, or from {TOKEN_VARIABLE}"
    return f"{message}\n  {suggestion}"

"""Talks to the administration of a gateway that is running."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import httpx2

from app.cli.progress import Progress
from app.cli.verbs import CommandError, add_config
from app.config.listening import places
from app.config.source import Source
from app.config.surroundings import TOKEN_VARIABLE, operator_token
from app.core.errors import NOT_FOUND, UNAUTHORIZED

_PATIENCE_S = 30.0
_SILENCE: Final[Mapping[type[Exception], str]] = MappingProxyType(
    {
        httpx2.ConnectError: "nothing listens there, or it speaks no TLS",
        httpx2.ConnectTimeout: "it cannot be reached",
        httpx2.ReadTimeout: f"it said nothing for {_PATIENCE_S:g} s",
        httpx2.UnsupportedProtocol: "an address begins with http:// or https://",
    }
)


def add_remote(parser: argparse.ArgumentParser) -> None:
    """Let the verb find a gateway: by flags, or by the configuration with which one runs on this machine."""
    add_config(parser)
    parser.add_argument("--url", help="address of the gateway; default that of the configuration")
    parser.add_argument("--token", help="admin token; default $WIZARD_ADMIN_TOKEN, or admin.token of the configuration")


class Remote:
    """A gateway somewhere else, or in another process of this machine."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")  # which is the base URL of SDKs
        self._token = token

    @classmethod
    def of(cls, given: argparse.Namespace) -> Remote:
        """
        Return the one that the flags mean.

        Raises:
            ConfigError: They leave something to a configuration that is wrong.
        """
        token = operator_token() if given.token is None else given.token
        if given.url and token:
            return cls(given.url, token)
        settings = Source(given.config, {}, {}).read().settings
        *_, operated = places(settings)
        return cls(given.url or operated.url, token or settings.admin.token.get_secret_value())

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask for something; see `send`."""
        return self.send("GET", path)

    def send(self, method: str, path: str, content: bytes = b"", query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """
        Ask, and return the JSON of the answer.

        Raises:
            CommandError: Nobody answers, or the answer is a refusal.
        """
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            with Progress(f"waiting for {self._url}"), httpx2.Client(trust_env=False, timeout=_PATIENCE_S) as client:
                answer = client.request(method, f"{self._url}{path}", headers=headers, content=content, params=query)
        except httpx2.TransportError as error:
            raise CommandError(
                f"no gateway answers at {self._url}: {_SILENCE.get(type(error), 'the connection broke')}\n"
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
    if code == NOT_FOUND.code and message.startswith("There is nothing at '/admin"):  # the page, not what it lists
        advice = "set admin.token, ask at its admin.port, or update the gateway"
        return f"the gateway at {url} has no such administration\n  {advice}"
    if code == UNAUTHORIZED.code:
        return f"{message}\n  send it with --token, or from {TOKEN_VARIABLE}"
    return f"{message}\n  {suggestion}"

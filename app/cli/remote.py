"""Talks to the administration of a gateway that is running."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import httpx2

from app.cli.progress import Progress
from app.cli.verbs import CommandError, add_config
from app.config.schema import Settings
from app.config.source import Source
from app.config.surroundings import operator_token
from app.core.errors import NOT_FOUND

_PATIENCE_S = 30.0


def add_remote(parser: argparse.ArgumentParser) -> None:
    """Let the verb find a gateway: by flags, or by the configuration with which one runs on this machine."""
    add_config(parser)
    parser.add_argument("--url", help="address of the gateway; default that of the configuration")
    parser.add_argument("--token", help="admin token; default $WIZARD_ADMIN_TOKEN, or admin.token of the configuration")


class Remote:
    """A gateway somewhere else, or in another process of this machine."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
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
        return cls(given.url or address_of(settings), token or settings.admin.token.get_secret_value())

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask for something; see `send`."""
        return self.send("GET", path)

    def send(self, method: str, path: str, content: bytes = b"", query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """
        Ask, and return the JSON of the answer.

        Raises:
            CommandError: Nobody answers, or the answer is a refusal.
        """
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        try:
            with Progress(f"waiting for {self._url}"), httpx2.Client(trust_env=False, timeout=_PATIENCE_S) as client:
                answer = client.request(method, f"{self._url}{path}", headers=headers, content=content, params=query)
        except httpx2.TransportError as error:
            raise CommandError(
                f"no gateway answers at {self._url} ({type(error).__name__})\n"
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
        return f"the gateway at {url} has no such administration\n  set admin.token, or update the gateway"
    return f"{message}\n  {suggestion}"


def address_of(settings: Settings) -> str:
    """Return where a gateway with these settings can be reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.server.host, settings.server.host)  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"

"""
Google Cloud's access tokens for Vertex AI, by google-auth.

Imported only where a provider needs it: google-auth is the extra `vertex`. A token lasts an hour; it is renewed in a
thread, before it ends, while the old one still serves.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import google.auth
import msgspec
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.core.ports import HttpRequest

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)


class GoogleSigner:
    """
    Adds an access token to each request, of a service account's `key_file` or the application default credentials.
    """

    def __init__(self, key_file: str | None) -> None:
        self._key_file = key_file
        self._credentials: Any = None  # google-auth has no types
        self._renewing = asyncio.Lock()

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its token; see the port."""
        if self._credentials is None or not self._credentials.valid:  # `valid` turns false minutes before the end
            async with self._renewing:
                if self._credentials is None or not self._credentials.valid:
                    await asyncio.to_thread(self._renew)
        token = ("authorization", f"Bearer {self._credentials.token}")
        return msgspec.structs.replace(request, headers=(*request.headers, token))

    def _renew(self) -> None:
        try:
            credentials = self._credentials or self._found()
            credentials.refresh(Request())
        except (GoogleAuthError, OSError, ValueError) as error:
            message = "There is no access token for Google Cloud to be had with the configured credentials."
            raise GatewayError(TARGET_MISCONFIGURED, message) from error
        self._credentials = credentials

    def _found(self) -> Any:  # noqa: ANN401 - google-auth has no types
        if self._key_file is not None:
            read: Any = service_account.Credentials.from_service_account_file
            return read(self._key_file, scopes=SCOPES)
        credentials, _project = google.auth.default(scopes=SCOPES)
        return credentials

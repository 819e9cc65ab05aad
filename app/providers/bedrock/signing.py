"""
Requests signed as AWS wants it (Signature Version 4), by botocore's own signer.

Imported only where a provider needs it: botocore is the extra `bedrock`. Keys of roles and files expire, and asking for
new ones reads files or the network; that happens in a thread, well before the old ones end.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from app.core.clock import Clock
from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.core.ports import HttpRequest

_SERVICE: Final = "bedrock"
_LOOK_AGAIN_S: Final = 60.0  # botocore renews keys 10 to 15 minutes before they end, so a minute is early enough
_SIGNED: Final = frozenset({"content-type", "accept"})  # what is added on the way must not break the signature
_NO_KEYS = "There are no AWS credentials: neither in the configuration nor where AWS's tools look for them."


def aws_keys(access_key_id: str | None, secret_access_key: str | None, session_token: str | None) -> Credentials | None:
    """Return the configured keys, if there are any."""
    if access_key_id is None or secret_access_key is None:
        return None
    return Credentials(access_key_id, secret_access_key, session_token)


class AwsSigner:
    """
    Signs requests for Bedrock in one region, such as `eu-central-1`.

    Without `keys` the usual chain is asked: environment, profile, container or instance role.
    """

    def __init__(self, region: str, keys: Credentials | None, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._source = keys
        self._frozen: ReadOnlyCredentials | None = None
        self._looked = 0.0
        self._looking: asyncio.Lock = asyncio.Lock()

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its signature; see the port."""
        keys = await self._keys()
        signed = AWSRequest(
            request.method,
            request.url,
            {name: value for name, value in request.headers if name in _SIGNED},
            request.body,
        )
        SigV4Auth(keys, _SERVICE, self._region).add_auth(signed)
        own = tuple(
            [(name.lower(), str(value)) for name, value in signed.headers.items() if name.lower() not in _SIGNED]
        )
        return msgspec.structs.replace(request, headers=request.headers + own)

    async def _keys(self) -> ReadOnlyCredentials:
        now = self._clock.now()
        if self._frozen is None or now - self._looked >= _LOOK_AGAIN_S:
            async with self._looking:
                if self._frozen is None or now - self._looked >= _LOOK_AGAIN_S:
                    self._frozen = await asyncio.to_thread(self._look)
                    self._looked = now
        return self._frozen

    def _look(self) -> ReadOnlyCredentials:
        if self._source is None:
            self._source = self._found()
        try:
            return self._source.get_frozen_credentials()
        except BotoCoreError as error:
            raise GatewayError(TARGET_MISCONFIGURED, _NO_KEYS) from error

    def _found(self) -> Credentials:
        try:
            found = Session().get_credentials()
        except BotoCoreError as error:
            raise GatewayError(TARGET_MISCONFIGURED, _NO_KEYS) from error
        if found is None:
            raise GatewayError(TARGET_MISCONFIGURED, _NO_KEYS)
        return found

"""
Azure OpenAI: OpenAI's dialect at other addresses.

A deployment has an address of its own, where the version of the API is named; Azure's newer v1 API has OpenAI's own
addresses below `/openai/v1`, and takes the deployment as the model.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from app.core.addresses import path_step
from app.core.call import Target
from app.core.model import Request
from app.core.ports import Encoded
from app.providers.openai.codec import OpenAiCodec


class AzureCodec(OpenAiCodec):
    """Speaks `POST {base_url}/openai/deployments/{model}/chat/completions`, or the v1 API without an `api_version`."""

    def __init__(self, api_version: str | None) -> None:
        super().__init__()
        self._api_version = api_version

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what OpenAI would be sent, at Azure's address."""
        encoded = super().encode(request, target)
        if self._api_version is None:
            return msgspec.structs.replace(encoded, path=f"/openai/v1{encoded.path}")
        place = f"/openai/deployments/{path_step(target.model)}"
        version = quote(self._api_version, safe="")
        return msgspec.structs.replace(encoded, path=f"{place}{encoded.path}?api-version={version}")

"""The sections `passthrough` and `files`."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Bytes, ProviderName, Section


class Passthrough(Section):
    """Requests to `/pass/{provider}/*`, which reach the provider unchanged except for their key."""

    enabled: bool = Field(default=False, description="Whether there is /pass/{provider}/*.")
    providers: tuple[ProviderName, ...] = Field(default=(), description="Providers it leads to; [] takes all.")
    unguarded: bool = Field(
        default=False, description="Whether it may be there although redaction or guards are on, which it passes by."
    )


class Files(Section):
    """`/v1/files` and `/v1/batches`, which providers store under the gateway's account."""

    enabled: bool = Field(default=False, description="Whether there are /v1/files and /v1/batches.")
    providers: tuple[ProviderName, ...] = Field(
        default=(), description="Providers that keep them; [] takes those that are known to."
    )
    unguarded: bool = Field(
        default=False, description="Whether they may be there although redaction or guards are on, which they pass by."
    )
    max_bytes: Bytes = Field(
        default=536_870_912, description="Largest file that may be sent to POST /v1/files, in bytes."
    )

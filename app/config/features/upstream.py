"""The section `upstream`: connections to providers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.config.fields import Count, Expected, Seconds, Section, Whole, stripped

PemFile = Annotated[str | None, BeforeValidator(stripped), Expected("the path of a readable PEM file")]


class Upstream(Section):
    """Connections to providers, per process."""

    connections_max: Count = Field(default=4096, description="Maximum open connections to all providers together.")
    per_origin_max: Count = Field(default=2048, description="Maximum open connections to one address.")
    idle_s: Seconds = Field(default=50, description="Seconds that a connection may rest before it is closed.")
    age_s: Seconds = Field(default=900, description="Seconds after which a connection is used no more.")
    warm: Annotated[Whole, Field(ge=0, le=1000)] = Field(
        default=0, description="Connections that are opened to each provider at the start."
    )


class Tls(Section):
    """Trusted authorities and the client certificate for a provider; renewed files are read again."""

    ca_file: PemFile = Field(default=None, description="Authorities that are trusted instead of the system's.")
    certificate_file: PemFile = Field(default=None, description="Certificate that is shown to the provider.")
    key_file: PemFile = Field(default=None, description="Its private key, without a password; null: in the same file.")

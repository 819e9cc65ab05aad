"""The sections `auth` and `admin`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr

from app.config.fields import Expected, Host, HttpUrl, ModelName, Number, SecretFile, Section, Whole, such_secret

PEPPER_MIN_CHARS: Final = 16
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


Pepper = Annotated[
    SecretStr | None,
    such_secret(lambda text: len(text) >= PEPPER_MIN_CHARS),
    Expected(f"a secret text of at least {PEPPER_MIN_CHARS} characters"),
]
Claim = Annotated[str, Field(min_length=1, max_length=256), Expected("the name of a claim")]


class JwtClaims(Section):
    """The claims of a token that describe its caller."""

    id: Claim = Field(default="sub", description="Whose token it is; limits and stored data belong to it.")
    name: Claim | None = Field(default=None, description="A name for people; null shows the id.")
    team: Claim | None = Field(default=None, description="The team.")
    user: Claim | None = Field(default=None, description="The user.")
    tags: Claim | None = Field(default=None, description="Tags, a list or words.")
    models: Claim | None = Field(default=None, description="Patterns of the models that may be used.")


class Jwt(Section):
    """Signed tokens in place of virtual keys."""

    jwks_url: HttpUrl = Field(default=None, description="Where the issuer publishes its keys; null takes no tokens.")
    issuer: str = Field(default="", description="The iss that tokens must have.")
    audience: tuple[str, ...] = Field(default=(), description="The aud of which tokens must have one.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256"), min_length=1, description="How tokens may be signed."
    )
    claims: JwtClaims = JwtClaims()
    models: tuple[ModelName, ...] | None = Field(
        default=None, description="Patterns of models for tokens that have no claim about it; null allows all."
    )
    refresh_s: Annotated[Number, Field(ge=10, le=86_400)] = Field(
        default=600, description="Age in seconds at which the issuer's keys are fetched again."
    )
    leeway_s: Annotated[Number, Field(ge=0, le=600)] = Field(
        default=30, description="Seconds by which the issuer's clock may differ."
    )


class Auth(Section):
    """Who may call."""

    required: bool = Field(default=False, description="Whether every call needs a virtual key, or a token.")
    allow_open: bool = Field(
        default=False, description="Whether a gateway that requires no key may listen where other machines reach it."
    )
    pepper: Pepper = Field(default=None, description="Secret that goes into the hashes of keys (hmac-sha256).")
    pepper_file: SecretFile = Field(default=None, description="Path of a file with the pepper, instead of pepper.")
    jwt: Jwt = Jwt()


class Admin(Section):
    """The administration endpoints."""

    token: Annotated[SecretStr, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        default=SecretStr(""), description="Bearer token of /admin; empty means that /admin answers 404."
    )
    port: Annotated[Whole, Field(ge=0, le=65_535)] | None = Field(
        default=None,
        description="TCP port that alone has /admin and /metrics; 0: a free one, null: server.port.",
    )
    host: Host = Field(default="127.0.0.1", description="Address to listen on there.")

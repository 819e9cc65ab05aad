"""The root of the configuration: `Settings`, with every default."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.features.admin import Admin
from app.config.features.auth import Auth
from app.config.features.budgets import Alerts, Budget, ModelPrice, Usage
from app.config.features.cache import Cache
from app.config.features.catalogue import Catalogue
from app.config.features.circuit_breaker import CircuitBreaker
from app.config.features.guards import Guards
from app.config.features.idempotency import Idempotency
from app.config.features.keys import Keys
from app.config.features.limits import Limits
from app.config.features.passthrough import Files, Passthrough
from app.config.features.redaction import Redaction
from app.config.features.redis import Redis
from app.config.features.request_log import RequestLog
from app.config.features.sessions import Sessions
from app.config.features.tokenizer import Tokenizer
from app.config.features.tracing import Tracing
from app.config.features.upstream import Upstream
from app.config.fields import ModelName, ProviderName
from app.config.routing import Provider, Route
from app.config.sections import Admission, Fallback, Logging, Metrics, Retry, Server, Streaming, Timeouts, Validation


class Settings(BaseSettings):
    """The complete, frozen configuration.

    Created by `load`. Created directly, it has only its arguments and defaults, and never reads the environment.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        case_sensitive=True,  # otherwise `Server` and `server` would collide
        env_prefix="WIZARD_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_parse_none_str="null",
    )

    server: Server = Field(default_factory=Server, description="Where the gateway listens, and what it accepts.")
    redis: Redis = Field(default_factory=Redis, description="The store that several processes share.")
    auth: Auth = Field(default_factory=Auth, description="Who may call.")
    keys: Keys = Field(default=(), description="Virtual keys.")
    providers: dict[ProviderName, Provider] = Field(default_factory=dict, description="Where models answer, by name.")
    models: dict[ModelName, Route] = Field(default_factory=dict, description="Routes, by the model name of callers.")
    upstream: Upstream = Field(default_factory=Upstream, description="Connections to providers.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long each phase of a call may take.")
    validation: Validation = Field(default_factory=Validation, description="Bounds of an accepted request.")
    admission: Admission = Field(default_factory=Admission, description="How many calls are worked on at once.")
    redaction: Redaction = Field(default_factory=Redaction, description="What is taken out of prompts.")
    limits: Limits = Field(default=(), description="Rate limits.")
    tokenizer: Tokenizer = Field(default_factory=Tokenizer, description="How tokens are counted near a limit.")
    budgets: tuple[Budget, ...] = Field(default=(), description="What may be spent.")
    prices: dict[ModelName, ModelPrice] = Field(
        default_factory=dict, description="Prices by provider/model, before those that are known."
    )
    usage: Usage = Field(default_factory=Usage, description="What was used, for reports.")
    alerts: Alerts = Field(default_factory=Alerts, description="Who is told at once.")
    catalogue: Catalogue = Field(default_factory=Catalogue, description="What is known of models.")
    guards: Guards = Field(default_factory=Guards, description="Checks on the meaning of a prompt.")
    admin: Admin = Field(default_factory=Admin, description="The administration endpoints.")
    cache: Cache = Field(default_factory=Cache, description="Stored answers.")
    circuit_breaker: CircuitBreaker = Field(default_factory=CircuitBreaker, description="Leaving bad targets alone.")
    retry: Retry = Field(default_factory=Retry, description="How one target is tried again.")
    fallback: Fallback = Field(default_factory=Fallback, description="When the next target is tried.")
    streaming: Streaming = Field(default_factory=Streaming, description="How answers are relayed.")
    sessions: Sessions = Field(default_factory=Sessions, description="Where conversations are kept.")
    idempotency: Idempotency = Field(default_factory=Idempotency, description="Calls that are sent again.")
    passthrough: Passthrough = Field(
        default_factory=Passthrough, description="Requests that are passed on as they are."
    )
    files: Files = Field(default_factory=Files, description="Files and batches, which providers keep.")
    logging: Logging = Field(default_factory=Logging, description="What is logged, and how.")
    metrics: Metrics = Field(default_factory=Metrics, description="Whether metrics are served.")
    request_log: RequestLog = Field(default_factory=RequestLog, description="What is kept of calls that are over.")
    tracing: Tracing = Field(default_factory=Tracing, description="OpenTelemetry spans.")

    @property
    def may_have_keys(self) -> bool:
        """Whether keys or tokens of callers can be valid; otherwise they are not checked."""
        return bool(self.keys or self.auth.jwt.jwks_url or self.redis.url or self.admin.token.get_secret_value())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature belongs to pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Accept arguments only: `load` reads the environment itself, from the mapping it is given."""
        return (init_settings,)

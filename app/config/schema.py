"""The root of the configuration: `Settings`, with every default."""

from __future__ import annotations

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.features.auth import Admin, Auth
from app.config.features.budgets import Alerts, Budget, ModelPrice, Usage
from app.config.features.cache import Cache, Idempotency
from app.config.features.catalogue import Catalogue, Tokenizer
from app.config.features.guards import Guards
from app.config.features.keys import Keys
from app.config.features.limits import Limits
from app.config.features.passthrough import Files, Passthrough
from app.config.features.redaction import Redaction
from app.config.features.redis import Redis
from app.config.features.sessions import Sessions
from app.config.features.telemetry import Logging, Metrics, RequestLog, Tracing
from app.config.fields import ModelName, ProviderName
from app.config.routing import Provider, Route, Upstream
from app.config.sections import Admission, CircuitBreaker, Fallback, Retry, Server, Streaming, Timeouts, Validation


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

    server: Server = Server()
    redis: Redis = Redis()
    auth: Auth = Auth()
    keys: Keys = ()
    providers: dict[ProviderName, Provider] = {}
    models: dict[ModelName, Route] = {}
    upstream: Upstream = Upstream()
    timeouts: Timeouts = Timeouts()
    validation: Validation = Validation()
    admission: Admission = Admission()
    redaction: Redaction = Redaction()
    limits: Limits = ()
    tokenizer: Tokenizer = Tokenizer()
    budgets: tuple[Budget, ...] = ()
    prices: dict[ModelName, ModelPrice] = {}
    usage: Usage = Usage()
    alerts: Alerts = Alerts()
    catalogue: Catalogue = Catalogue()
    guards: Guards = Guards()
    admin: Admin = Admin()
    cache: Cache = Cache()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    retry: Retry = Retry()
    fallback: Fallback = Fallback()
    streaming: Streaming = Streaming()
    sessions: Sessions = Sessions()
    idempotency: Idempotency = Idempotency()
    passthrough: Passthrough = Passthrough()
    files: Files = Files()
    logging: Logging = Logging()
    metrics: Metrics = Metrics()
    request_log: RequestLog = RequestLog()
    tracing: Tracing = Tracing()

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

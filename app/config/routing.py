"""The sections `upstream`, `providers` and `models`: connections, providers and routes."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from app.config.fields import (
    ApiKey,
    ApiKeys,
    BaseUrl,
    Count,
    Expected,
    Headers,
    HttpUrl,
    Lifetime,
    ModelName,
    Percentile,
    Place,
    Price,
    ProviderKind,
    ProviderName,
    Ratio,
    Seconds,
    SecretFile,
    Section,
    StrategyName,
    Weight,
    Whole,
    stripped,
)
from app.config.presets import PRESETS

PemFile = Annotated[str | None, BeforeValidator(stripped), Expected("the path of a readable PEM file")]
Capability = Literal["tools", "vision", "json_schema", "audio"]


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


class HealthCheck(Section):
    """Periodic small calls that detect a provider that is down before callers notice."""

    enabled: bool = Field(default=False, description="Whether the provider is asked.")
    model: ModelName | None = Field(default=None, description="Model that is asked, as the provider calls it.")
    interval_s: Seconds = Field(default=30, description="Seconds between two questions.")
    timeout_s: Seconds = Field(default=10, description="Seconds after which no answer is a failure.")
    stream: bool = Field(default=False, description="Whether the answer is asked for as a stream.")
    failures: Count = Field(default=2, description="Failures in a row after which the provider is down.")


class Provider(Section):
    """One provider of models.

    `base_url` is filled from the preset of its kind; None for the kinds that have no address (sim, local).
    `api_key` already has the contents of `api_key_file`, and `api_keys` those of `api_keys_file`.
    """

    kind: ProviderKind = Field(
        description="openai (any compatible server), sim, local, the name of a preset or of an installed provider."
    )
    base_url: BaseUrl = Field(default=None, description="Address of the API; null takes the one of the preset.")
    account: Place = Field(default=None, description="Part of the preset's address: a resource (azure), an account.")
    region: Place = Field(default=None, description="Part of the preset's address: bedrock and vertex need it.")
    project: Place = Field(default=None, description="Part of the preset's address: vertex needs it.")
    api_version: Place = Field(default=None, description="Version of the API for azure; null takes its v1 API.")
    api_key: ApiKey = Field(default=None, description="Key that the gateway sends; null or empty sends none.")
    api_key_file: SecretFile = Field(default=None, description="File with the key in it, instead of api_key.")
    api_keys: ApiKeys = Field(default=(), description="Several keys instead of api_key, used in turn.")
    api_keys_file: SecretFile = Field(default=None, description="File with a key on each line, instead of api_keys.")
    aws_access_key_id: ApiKey = Field(
        default=None, description="Key that signs requests to bedrock; null is AWS's usual."
    )
    aws_secret_access_key: ApiKey = Field(default=None, description="Secret of that key.")
    aws_session_token: ApiKey = Field(default=None, description="Token of a temporary session; null has none.")
    credentials_file: SecretFile = Field(
        default=None, description="Key of a service account for vertex; null is usual."
    )
    headers: Headers = Field(default_factory=dict, repr=False, description="Headers added to every request.")
    api: Literal["chat", "responses"] = Field(
        default="chat", description="Which of OpenAI's APIs chats go to: chat completions or responses."
    )
    unsupported: Literal["drop", "error", "pass"] = Field(
        default="drop", description="What happens to harmless parameters that the provider's dialect cannot express."
    )
    max_tokens: Count | None = Field(
        default=None, description="Longest answer, in tokens, where a dialect demands a bound and a request has none."
    )
    proxy: HttpUrl = Field(default=None, description="HTTP proxy on the way to this provider; null goes straight.")
    http2: bool = Field(default=False, description="Whether it is spoken to by HTTP/2, if it agrees.")
    tls: Tls = Tls()
    models: tuple[ModelName, ...] = Field(default=(), description="Model names that GET /v1/models lists for it.")
    discover: bool = Field(default=False, description="Whether the provider is asked for its models, to list them too.")
    discover_every_s: Seconds = Field(default=3600, description="Seconds between two such questions.")
    max_in_flight: Count | None = Field(default=None, description="Maximum concurrent calls; null has no bound.")
    usage_in_streams: Literal["auto", "never"] = Field(
        default="auto", description="auto asks streams for their usage until the provider refuses that; never does not."
    )

    health: HealthCheck = HealthCheck()
    follow_limits: bool = Field(
        default=False,
        description="Whether it is skipped while its rate-limit headers report that nothing is left.",
    )

    continues: Literal["auto", "none", "trailing", "prefix", "partial", "final_message"] = Field(
        default="auto",
        description="How it continues a partial answer; auto is what its kind is known for.",
    )

    def goes_on(self, model: str) -> str | None:
        """Return the method by which one of its models continues a text; None if it cannot, or may not."""
        if self.continues != "auto":
            return None if self.continues == "none" else self.continues
        preset = PRESETS.get(self.kind)
        if preset is None or preset.continues == "none" or self.api != "chat":
            return None
        if not (self.base_url or "").rstrip("/").endswith(preset.continues_at):
            return None
        known = any(fnmatchcase(model, pattern) for pattern in preset.continues_models)
        return preset.continues if known else None

    @model_validator(mode="before")
    @classmethod
    def _address_of_preset(cls, settings: object) -> object:
        if not isinstance(settings, Mapping) or settings.get("base_url"):
            return settings
        kind = settings.get("kind")
        preset = PRESETS.get(kind) if isinstance(kind, str) else None
        return settings if preset is None else {**settings, "base_url": preset.address(settings)}


class Target(Section):
    """One model of one provider."""

    provider: ProviderName = Field(description="Name of a configured provider.")
    model: ModelName = Field(description="Name of the model, as the provider calls it.")
    weight: Weight = Field(default=1, description="Share of the traffic; counts for strategy weighted.")
    input_usd_per_mtok: Price | None = Field(
        default=None, description="US dollars for a million tokens of prompt; counts for strategy cost."
    )
    output_usd_per_mtok: Price | None = Field(
        default=None, description="US dollars for a million tokens of answer; counts for strategy cost."
    )
    capabilities: frozenset[Capability] | None = Field(
        default=None, description="What it can do; requests for anything else pass it by. null can do everything."
    )
    context_window: Count | None = Field(
        default=None, description="Tokens of prompt and answer; longer requests pass it by. null has no bound."
    )
    max_in_flight: Count | None = Field(
        default=None, description="Maximum concurrent calls, over all routes; null has no bound."
    )


class Hedge(Section):
    """When a second target is called in parallel with the first."""

    enabled: bool = Field(default=False, description="Whether calls of this route are hedged.")
    percentile: Percentile = Field(
        default=0.95, description="Share of the first target's last answers that came sooner than the second is asked."
    )
    min_s: Seconds = Field(default=0.05, description="Least silence before the second target is asked.")
    max_s: Seconds = Field(default=10, description="Longest delay, also used while too few answers are known.")
    budget_ratio: Ratio = Field(default=0.05, description="Maximum hedges per call, 0 to 1.")


class Recovery(Section):
    """Whether other targets continue streams that break in the middle."""

    enabled: bool = Field(default=False, description="Whether streams of plain text are continued by the next target.")
    max_times: Annotated[Whole, Field(ge=1, le=5)] = Field(
        default=1, description="Maximum continuations of one stream; each can leave a seam."
    )


class Instructions(Section):
    """The system prompt of a route."""

    prompt: str | None = Field(default=None, description="System message before all others; null has none.")
    callers: Literal["keep", "drop", "refuse"] = Field(
        default="keep", description="What happens to callers' system messages."
    )


class RouteStreaming(Section):
    """How answers of one route are relayed."""

    on_disconnect: Literal["cancel", "drain"] | None = Field(
        default=None, description="What a client that leaves means for its provider; null as streaming says."
    )


class Route(Section):
    """A model name of the gateway and its targets."""

    targets: tuple[Target, ...] = Field(min_length=1, description="Models that can answer; at least one.")
    strategy: StrategyName = Field(
        default="sequential", description="How a target is chosen; sequential goes from top to bottom."
    )
    affinity: Literal["none", "session", "user", "prefix"] = Field(
        default="none", description="What calls have in common that go to the same target; none leaves it to strategy."
    )
    fallbacks: tuple[ModelName, ...] = Field(
        default=(), description="Route names or provider/model, tried in order after the targets."
    )
    strict: bool | None = Field(
        default=None, description="Whether numbers out of range and unknown roles are refused; null as validation says."
    )
    system: Instructions = Instructions()
    hedge: Hedge = Hedge()
    recovery: Recovery = Recovery()
    streaming: RouteStreaming = RouteStreaming()
    cache: bool = Field(default=True, description="Whether calls of this route use the cache, if there is one.")
    cache_ttl_s: Lifetime | None = Field(default=None, description="Seconds instead of cache.ttl_s; null takes that.")

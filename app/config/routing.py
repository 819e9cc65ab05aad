"""Providers and routes: who answers, and under which model names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from app.config.fields import (
    ApiKey,
    BaseUrl,
    Headers,
    ModelName,
    Number,
    ProviderKind,
    ProviderName,
    SecretFile,
    Section,
)
from app.config.presets import PRESETS

Strategy = Literal["sequential", "weighted", "round_robin", "least_busy", "latency", "cost"]


class Provider(Section):
    """One place where models answer.

    `base_url` is filled from the preset of its kind; None for the kinds that have no address (sim, local).
    `api_key` already holds the contents of `api_key_file`.
    """

    kind: ProviderKind = Field(description="openai (any compatible server), sim, local, or the name of a preset.")
    base_url: BaseUrl = Field(default=None, description="Address of the API; null takes the one of the preset.")
    api_key: ApiKey = Field(default=None, description="Key that the gateway sends; null or empty sends none.")
    api_key_file: SecretFile = Field(default=None, description="File with the key in it, instead of api_key.")
    headers: Headers = Field(default_factory=dict, repr=False, description="Headers added to every request.")
    models: tuple[ModelName, ...] = Field(default=(), description="Model names that GET /v1/models lists for it.")

    @model_validator(mode="before")
    @classmethod
    def _address_of_preset(cls, given: object) -> object:
        if not isinstance(given, Mapping) or given.get("base_url"):
            return given
        kind = given.get("kind")
        preset = PRESETS.get(kind) if isinstance(kind, str) else None
        return given if preset is None else {**given, "base_url": preset.base_url}


class Target(Section):
    """One model of one provider."""

    provider: ProviderName = Field(description="Name of a configured provider.")
    model: ModelName = Field(description="Name of the model, as the provider calls it.")
    weight: Number = Field(
        default=1, gt=0, le=1_000_000, description="Share of the traffic; counts for strategy weighted."
    )


class Route(Section):
    """A model name of the gateway, and what stands behind it."""

    targets: tuple[Target, ...] = Field(min_length=1, description="Models that can answer; at least one.")
    strategy: Strategy = Field(
        default="sequential", description="How a target is chosen; sequential goes from top to bottom."
    )
    fallbacks: tuple[ModelName, ...] = Field(
        default=(), description="Route names or provider/model, tried in order after the targets."
    )

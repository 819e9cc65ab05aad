"""The sections `budgets`, `prices`, `usage` and `alerts`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.config.fields import Expected, Lifetime, ModelName, Number, Price, Ratio, SecretAddress, Section, listed
from app.core.money import Period, Scope

Dollars = Annotated[Number, Field(gt=0, le=1_000_000_000)]


Scopes = Annotated[
    tuple[Scope, ...],
    Field(min_length=1),
    BeforeValidator(listed),
    Expected("one of global, key, user, team, model, provider and route, or a list of several"),
]


class Amount(Section):
    """What may be spent, and what happens then."""

    usd: Dollars = Field(description="US dollars.")
    window_s: Lifetime | None = Field(default=None, description="Rolling window instead of a period, in seconds.")
    hard: bool = Field(default=True, description="Whether calls are refused once it is spent.")
    warn: tuple[Ratio, ...] = Field(default=(0.5, 0.8, 1.0), description="Shares of it that are told when reached.")


class KeyBudget(Amount):
    """What one key may spend."""

    per: Period = Field(default="month", description="Period of the calendar (UTC); total never ends.")


class Budget(Amount):
    """What each subject of one kind may spend."""

    name: ModelName = Field(description="Name in messages, logs and the administration.")
    per: Scopes = Field(default=("global",), description="Whose spending counts together.")
    period: Period = Field(default="month", description="Period of the calendar (UTC); total never ends.")


class ModelPrice(Section):
    """US dollars per million tokens of one model; parts without a price have that of the whole."""

    input: Price = Field(description="For tokens of the prompt.")
    output: Price = Field(default=0, description="For tokens of the answer.")
    cached: Price | None = Field(default=None, description="For tokens that the provider had in its prompt cache.")
    cache_write: Price | None = Field(default=None, description="For tokens that it put there.")
    reasoning: Price | None = Field(default=None, description="For reasoning tokens.")
    audio_input: Price | None = Field(default=None, description="For tokens of audio in the prompt.")
    audio_output: Price | None = Field(default=None, description="For tokens of audio in the answer.")
    image_usd: Price = Field(default=0, description="For each image that is made, in US dollars.")
    request_usd: Price = Field(default=0, description="For each request, in US dollars.")


class Usage(Section):
    """Where usage is stored, for reports."""

    store: Literal["memory", "sqlite", "redis"] = Field(default="memory", description="Kind of store.")
    path: str | None = Field(default=None, description="File of the store sqlite.")
    retention_days: Annotated[int, Field(ge=1, le=3660)] = Field(default=400, description="Days that are kept.")


class Alerts(Section):
    """Immediate notifications for operators."""

    webhook_url: SecretAddress = Field(
        default=None,
        description="Address that gets a POST when a share of a budget is reached, or it refuses its first call of a "
        "period; null tells nobody. A secret.",
    )

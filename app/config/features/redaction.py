"""The section `redaction`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from app.config.fields import Expected, HttpUrl, ModelName, Ratio, Seconds, Section, Whole

Detector = Literal[
    "email", "phone", "credit_card", "iban", "ssn", "national_id", "ip", "date_of_birth", "secrets"
]  # fmt: skip
Action = Literal["mask", "hash", "tokenize", "block", "report"]
AnswerAction = Literal["mask", "hash", "block", "report"]

DEFAULT_DETECTORS: tuple[Detector, ...] = ("email", "phone", "credit_card", "iban", "ssn", "ip", "secrets")

FindName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,31}$"),
    Expected("a name of at most 32 small letters, digits and '_' that starts with a letter"),
]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), Expected("a country as two capitals, such as US or DE")]
Entity = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,31}$"), Expected("an entity of Presidio, such as PERSON")]
Window = Annotated[Whole, Field(ge=16, le=4096)]


class RedactionPattern(Section):
    """A custom pattern to detect."""

    name: FindName = Field(description="What finds are called in placeholders and metrics.")
    pattern: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="A regular expression, as RE2 has them."
    )


class RedactionAnswer(Section):
    """What is removed from answers."""

    enabled: bool = Field(default=False, description="Whether answers are redacted.")
    detectors: tuple[Detector, ...] | None = Field(
        default=None, description="What is looked for; null takes the detectors of prompts."
    )
    action: AnswerAction = Field(default="mask", description="What happens to a match.")
    actions: dict[FindName, AnswerAction] = Field(
        default_factory=dict, description="Actions for single detectors instead."
    )


class Presidio(Section):
    """Presidio's analyzer as an additional detector for prompts."""

    url: HttpUrl = Field(default=None, description="Address of the analyzer; null asks none.")
    timeout_s: Seconds = Field(default=1, description="Seconds that a call waits for it at most.")
    fail: Literal["open", "closed"] = Field(
        default="closed", description="Without an answer, closed refuses the call and open continues without it."
    )
    entities: tuple[Entity, ...] = Field(
        default=("PERSON", "LOCATION"),
        description="What it looks for; each is a detector of that name in small letters.",
    )
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$"), Expected("a language as two letters, such as en")] = Field(
        default="en", description="Language that texts are read in."
    )
    least_score: Ratio = Field(default=0.5, description="Least certainty of a find that counts, 0 to 1.")


class RedactionRoute(Section):
    """Overrides for one route; null inherits the general setting."""

    enabled: bool | None = Field(default=None, description="Whether its prompts are redacted.")
    detectors: tuple[Detector, ...] | None = Field(default=None, description="What is looked for.")
    action: Action | None = Field(default=None, description="What happens to a match.")
    actions: dict[FindName, Action] | None = Field(default=None, description="Actions for single detectors instead.")
    output: RedactionAnswer | None = None


class Redaction(Section):
    """What is removed from prompts before they are sent to providers, and from answers before clients get them."""

    enabled: bool = Field(default=False, description="Whether prompts are redacted.")
    detectors: tuple[Detector, ...] = Field(default=DEFAULT_DETECTORS, description="What is looked for.")
    action: Action = Field(
        default="tokenize", description="What happens to a match; tokenize restores it in the answer."
    )
    actions: dict[FindName, Action] = Field(default_factory=dict, description="Actions for single detectors instead.")
    patterns: tuple[RedactionPattern, ...] = Field(default=(), description="What else is looked for.")
    allow: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field(
        default=(), description="Values that are let through; * stands for anything in them."
    )
    phone_regions: tuple[Region, ...] = Field(
        default=("US",), description="Countries whose telephone numbers are found without their + and country."
    )
    hash_key: SecretStr = Field(
        default=SecretStr(""), description="Key of action hash; empty makes one up whenever the gateway starts."
    )
    streaming_window_chars: Window = Field(
        default=128, description="Maximum characters held back of a streamed answer that is redacted."
    )
    output: RedactionAnswer = RedactionAnswer()
    presidio: Presidio = Presidio()
    routes: dict[ModelName, RedactionRoute] = Field(
        default_factory=dict, description="What single routes have otherwise, by the model name of callers."
    )

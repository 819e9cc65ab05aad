"""The section `guards`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from app.config.features.redaction import DEFAULT_DETECTORS, Detector
from app.config.fields import ApiKey, Count, Expected, HttpUrl, ModelName, Ratio, Seconds, Section, Whole

Policy = Literal["none", "observe", "flag", "block"]
Fail = Literal["open", "closed"]
GuardName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$"), Expected("the name of a guard: small letters, digits, '_' and '-'")
]
ToolPattern = Annotated[str, Field(min_length=1, max_length=128)]
Term = Annotated[str, Field(min_length=2, max_length=200, pattern=r"^\S(.*\S)?$"), Expected("a word or a phrase")]

_POLICY = "What an objection causes: none is off, observe counts it, flag adds a header, block refuses."


class _Judging(Section):
    policy: Policy = Field(default="none", description=_POLICY)


class Classifier(Section):
    """A model that rates prompts, called over HTTP."""

    url: HttpUrl = Field(default=None, description="Address that is sent the passages; null asks none.")
    api_key: ApiKey = Field(default=None, description="Sent as a bearer token; null or empty sends none.")
    timeout_s: Seconds = Field(default=1, description="Seconds that a call waits for it at most.")
    fail: Fail = Field(default="open", description="Without an answer, open continues the call and closed refuses it.")
    threshold: Ratio = Field(default=0.8, description="Least score that is complained of, 0 to 1.")


class Injection(_Judging):
    """How prompts that look like an injection are handled."""

    threshold: Ratio = Field(default=0.5, description="Least score of a user's text that is complained of, 0 to 1.")
    tool_threshold: Ratio = Field(default=0.5, description="Least score of a tool's result, 0 to 1.")
    classifier: Classifier = Classifier()


class TripwireGuard(_Judging):
    """A mark in the system prompt that no answer has a reason to repeat."""


class ToolGuard(_Judging):
    """Which tools may be offered to a model, and called by it."""

    allow: tuple[ToolPattern, ...] | None = Field(default=None, description="Names that may be used; null allows all.")
    deny: tuple[ToolPattern, ...] = Field(default=(), description="Names that may not be used, whatever allow says.")
    keys: dict[str, tuple[ToolPattern, ...]] = Field(
        default_factory=dict, description="What single keys may use instead of allow, by the name of the key."
    )


class TermGuard(_Judging):
    """Words and phrases that must not occur."""

    terms: tuple[Term, ...] = Field(default=(), description="Words and phrases, upper or lower case.")
    prompts: bool = Field(default=False, description="Whether prompts are looked at.")
    answers: bool = Field(default=True, description="Whether answers are looked at.")


class LengthGuard(_Judging):
    """How long an answer may be."""

    max_chars: Count = Field(default=100_000, description="Maximum characters of one text of an answer.")


class SchemaGuard(_Judging):
    """Whether answers match their JSON schema."""

    json_schema: dict[str, Any] | None = Field(
        default=None, description="JSON schema of every answer; null takes each request's own."
    )
    retries: Whole = Field(default=0, ge=0, le=5, description="How often a better answer is asked for.")


class RefusalGuard(_Judging):
    """Whether the model refuses to answer."""

    retries: Whole = Field(default=0, ge=0, le=5, description="How often another answer is asked for.")


class LeakGuard(_Judging):
    """Whether an answer contains personal data that is not in its prompt."""

    detectors: tuple[Detector, ...] = Field(default=DEFAULT_DETECTORS, description="What is looked for.")


class ModerationGuard(_Judging):
    """The verdict of a moderation model."""

    model: ModelName | None = Field(default=None, description="Route or provider/model that judges.")
    categories: tuple[str, ...] = Field(default=(), description="Categories that count; empty counts all it flags.")
    prompts: bool = Field(default=True, description="Whether prompts are judged.")
    answers: bool = Field(default=False, description="Whether answers are judged.")
    fail: Fail = Field(
        default="closed", description="Without an answer, closed refuses the call and open continues it."
    )


class CustomGuard(Section):
    """A guard of another package (entry points of wizard.guards)."""

    name: GuardName = Field(description="Name of the entry point.")
    policy: Policy = Field(default="block", description=_POLICY)
    options: dict[str, Any] = Field(default_factory=dict, description="What it is made with, as the package says.")


class GuardRoute(Section):
    """Overrides for one route; null inherits the general setting."""

    injection: Injection | None = None
    spotlight: Literal["none", "delimit", "mark", "encode"] | None = Field(
        default=None, description="How results of tools are marked."
    )
    tripwire: TripwireGuard | None = None
    tools: ToolGuard | None = None
    terms: TermGuard | None = None
    length: LengthGuard | None = None
    output_schema: SchemaGuard | None = None
    refusal: RefusalGuard | None = None
    leak: LeakGuard | None = None
    moderation: ModerationGuard | None = None
    custom: tuple[CustomGuard, ...] | None = Field(default=None, description="Guards of other packages.")
    streams: Literal["watch", "hold"] | None = Field(default=None, description="When streams are judged.")


class Guards(Section):
    """Checks on the meaning of prompts and answers."""

    injection: Injection = Injection()
    spotlight: Literal["none", "delimit", "mark", "encode"] = Field(
        default="none", description="How results of tools are marked, so that the model takes them for data."
    )
    tripwire: TripwireGuard = TripwireGuard()
    tools: ToolGuard = ToolGuard()
    terms: TermGuard = TermGuard()
    length: LengthGuard = LengthGuard()
    output_schema: SchemaGuard = SchemaGuard()
    refusal: RefusalGuard = RefusalGuard()
    leak: LeakGuard = LeakGuard()
    moderation: ModerationGuard = ModerationGuard()
    custom: tuple[CustomGuard, ...] = Field(default=(), description="Guards of other packages.")
    streams: Literal["watch", "hold"] = Field(
        default="watch", description="watch judges a stream as it passes and at its end, hold before it is shown."
    )
    key: SecretStr = Field(
        default=SecretStr(""), description="Key of what is put into prompts; empty makes one up with every start."
    )
    routes: dict[ModelName, GuardRoute] = Field(
        default_factory=dict, description="What single routes have otherwise, by the model name of callers."
    )

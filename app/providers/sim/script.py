"""
The language of the scripted provider: a model's name says what it does.

`echo?tokens_per_s=50&die_after=3` is the script `echo` with two options. docs/sim.md documents each of them.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

SIM_MODELS: Final = ("echo", "words")  # what GET /v1/models lists; `fail` is no model anyone should choose
SCRIPTS: Final = (*SIM_MODELS, "fail")

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=3600)]
Words: TypeAlias = Annotated[int, Meta(ge=0, le=10_000)]  # bounds what one short request can make the gateway hold
Events: TypeAlias = Annotated[int, Meta(ge=0)]
Status: TypeAlias = Annotated[int, Meta(ge=300, le=599)]


class Ending(Enum):
    """How the body of an answer stops: as it should, or in one of the ways that a gateway must recognise."""

    WHOLE = "whole"
    DIES = "die_after"
    CUT = "cut_after"
    STALLS = "stall_after"
    ERROR = "error_after"


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    The options of a script: first what it answers and how fast, then its fault, then which calls meet the fault.

    `id` means nothing: it tells two scripts apart that count their calls (`times`). Of several faults the one that
    comes first in the life of an answer wins.
    """

    id: str = ""
    words: Words = 20
    tool: str | None = None
    reasoning: str = ""
    finish: str | None = None
    first_token_s: Seconds = 0.0
    head_s: Seconds | None = None
    tokens_per_s: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None

    refuse: bool = False
    hang: bool = False
    status: Status | None = None
    code: str | None = None
    retry_after_s: Seconds | None = None
    die_after: Events | None = None
    cut_after: Events | None = None
    stall_after: Events | None = None
    error_after: Events | None = None

    times: Annotated[int, Meta(ge=0)] | None = None
    rate: Annotated[float, Meta(ge=0, le=1)] | None = None

    @property
    def ending(self) -> tuple[Ending, int | None]:
        """Return how a body stops, and after how many events of content."""
        if self.die_after is not None:
            return Ending.DIES, self.die_after
        if self.cut_after is not None:
            return Ending.CUT, self.cut_after
        if self.stall_after is not None:
            return Ending.STALLS, self.stall_after
        if self.error_after is not None:
            return Ending.ERROR, self.error_after
        return Ending.WHOLE, None

    @property
    def faulty(self) -> bool:
        """Say whether any fault is scripted."""
        return self.refuse or self.hang or self.status is not None or self.ending[0] is not Ending.WHOLE


class Play(msgspec.Struct):
    """A script being played: `calls` counts how often, `sound` is the same script without its fault."""

    name: str
    script: Script
    sound: Script
    calls: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """A request that no script answers: the status and the parts of OpenAI's error object."""

    status: int
    message: str
    code: str
    param: str | None = None


_NO_FAULT: Final = MappingProxyType(
    {
        "refuse": False,
        "hang": False,
        **dict.fromkeys(("status", "die_after", "cut_after", "stall_after", "error_after")),
    }
)
_OPTIONS = ", ".join(field.name for field in msgspec.structs.fields(Script))


def parse(model: str) -> Play | Refusal:
    """Read a model's name as a script; a refusal names what is possible."""
    name, _, query = model.partition("?")
    if name not in SCRIPTS:
        message = f"There is no script {name[:100]!r}; there are {', '.join(SCRIPTS)}."
        return Refusal(404, message, "model_not_found", "model")
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
        script = msgspec.convert(options, Script, strict=False)
    except ValueError as error:  # also what msgspec raises
        message = f"The options of script {name!r} are wrong: {str(error)[:200]}. There are {_OPTIONS}."
        return Refusal(400, message, "invalid_value", "model")
    chosen = name == "fail" or script.times is not None or script.rate is not None
    if chosen and not script.faulty:
        script = msgspec.structs.replace(script, status=500)
    return Play(name, script, msgspec.structs.replace(script, **_NO_FAULT))

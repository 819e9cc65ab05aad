"""
The interface of guards. Other packages provide guards as entry points of the group `wizard.guards`.

A guard complains of prompts or answers; the policy of the route decides what happens then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Literal, Protocol, TypeAlias

import msgspec

from app.core.clock import Clock
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.ports import UpstreamClient

Source: TypeAlias = Literal["system", "user", "assistant", "tool"]
Ask: TypeAlias = Callable[[PlainRequest], Awaitable[Completion]]  # calls a model through the rest of the pipeline


class Policy(Enum):
    """What happens when a guard complains."""

    NONE = "none"  # the guard is not called
    OBSERVE = "observe"  # the complaint is counted
    FLAG = "flag"  # it is counted, and the answer's headers name the guard
    BLOCK = "block"  # the call is refused


class Complaint(msgspec.Struct, frozen=True):
    """
    A guard's objection to a prompt or an answer.

    `reason` is one of a few fixed words, for metrics and logs; `where` is the path of the field, for the caller;
    `score` is the guard's confidence, 0 to 1.
    """

    reason: str
    where: str | None = None
    score: float = 1.0


class Passage(msgspec.Struct, frozen=True):
    """One text of a prompt, and who wrote it."""

    source: Source
    text: str
    path: str


class Prompt(msgspec.Struct, frozen=True):
    """
    What guards see of a request.

    `tools` are the names of the tools offered to the model; `key` is the name of the caller's key, or empty.
    """

    operation: Operation
    model: str
    passages: tuple[Passage, ...]
    tools: tuple[str, ...]
    request: Request
    key: str = ""


class Said(msgspec.Struct, frozen=True):
    """
    What guards see of an answer: its texts, one for each choice and field, and the tools that it calls.

    `contents` are those texts that are content, not reasoning or refusals.
    """

    texts: tuple[str, ...]
    contents: tuple[str, ...]
    tools: tuple[str, ...]
    arguments: tuple[str, ...]


class Guard(Protocol):
    """Checks calls, any number of them concurrently. An exception that it raises fails the call."""

    @property
    def name(self) -> str:
        """Return the name in configuration, metrics and headers."""

    async def check_prompt(self, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Check a prompt before it is sent."""

    async def check_answer(self, said: Said, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Check a whole answer; of a stream, at its end."""


class GuardTools(msgspec.Struct, frozen=True):
    """What the factory of an external guard gets: its `options` from the configuration, a client, a clock."""

    options: Mapping[str, object]
    client: UpstreamClient
    clock: Clock


GuardFactory: TypeAlias = Callable[[GuardTools], Guard]

"""Which requests may be answered from the cache, and which answers may be stored."""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.caching.canonical import Fields
from app.core.model import Completion, Operation, Request

_TOOLS: Final = frozenset({"tools", "functions", "web_search_options"})
_PROSE: Final = frozenset({"text", "refusal"})
_FINISHED: Final = frozenset({"stop", "tool_calls", "function_call"})
_FINISHED_OR_CUT: Final = _FINISHED | {"length"}
_WITH_CHOICES: Final = (Operation.CHAT, Operation.COMPLETIONS)  # no set: the hash of an enum is slow
_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})


class CachePolicy(msgspec.Struct, frozen=True):
    """
    What is left out of the cache.

    Requests: other operations than `operations`, the models `left_out`; those that offer `tools`, ask for several
    choices (`n`), carry images, sound or files (`media`), or choose a seed (`seeds`), unless that is allowed; those
    with a temperature above `max_temperature`, which is 1 where a request has none.

    Answers: those larger than `answer_max_bytes`, and those that a limit of tokens cut short, unless `truncated` ones
    are allowed.
    """

    operations: tuple[Operation, ...]
    left_out: frozenset[str] = frozenset()
    answer_max_bytes: int = 1_048_576
    tools: bool = False
    several_choices: bool = False
    media: bool = True
    seeds: bool = True
    truncated: bool = False
    max_temperature: float | None = None

    def admits(self, request: Request, fields: Fields) -> bool:
        """Say whether a request may be answered from the cache; `fields` are its canonical ones."""
        if request.operation not in self.operations or request.model in self.left_out:
            return False
        if not self.tools and not _TOOLS.isdisjoint(fields):
            return False
        if "store" in fields or ("n" in fields and not self.several_choices) or ("seed" in fields and not self.seeds):
            return False  # what the provider shall store it has to see
        if self.max_temperature is not None:
            heat = fields.get("temperature", 1)
            if not isinstance(heat, int | float) or heat > self.max_temperature:
                return False
        return self.media or not has_media(fields)

    def stores(self, operation: Operation, completion: Completion) -> bool:
        """Say whether an answer is complete and worth to be given again."""
        if len(completion.raw) > self.answer_max_bytes:
            return False
        if operation not in _WITH_CHOICES:
            return bool(completion.raw)
        reasons = completion.finish_reasons
        if not reasons or not (_FINISHED_OR_CUT if self.truncated else _FINISHED).issuperset(reasons):
            return False
        choices = _choices(completion.raw)
        return len(choices) == len(reasons) and all(choice.says_something for choice in choices)


def has_media(fields: Fields) -> bool:
    """Say whether any message has a part that is no text."""
    messages = fields.get("messages")
    contents = [message.get("content") for message in messages or () if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(part, dict) and part.get("type") not in _PROSE for part in parts)


class _Message(msgspec.Struct, frozen=True):
    content: msgspec.Raw = _NOTHING
    tool_calls: msgspec.Raw = _NOTHING
    function_call: msgspec.Raw = _NOTHING
    refusal: msgspec.Raw = _NOTHING
    audio: msgspec.Raw = _NOTHING

    @property
    def says_something(self) -> bool:
        if bytes(self.content) not in _EMPTY:
            return True
        return any(
            bytes(each) not in _EMPTY for each in (self.tool_calls, self.function_call, self.refusal, self.audio)
        )


class _Choice(msgspec.Struct, frozen=True):
    message: _Message | None = None
    text: str = ""

    @property
    def says_something(self) -> bool:
        return bool(self.text) if self.message is None else self.message.says_something


class _Whole(msgspec.Struct, frozen=True):
    choices: list[_Choice]


_WHOLE: Final = msgspec.json.Decoder(_Whole)


def _choices(raw: bytes) -> list[_Choice]:
    try:
        return _WHOLE.decode(raw).choices
    except msgspec.DecodeError:
        return []

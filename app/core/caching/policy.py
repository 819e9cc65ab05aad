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
    What is cacheable.

    Not cacheable are requests for other operations than `operations`, or for the models `left_out`; unless the field of
    that name allows it, those with `tools`, `several_choices` (`n`), `media` (images, sound, files) or `seeds`; those
    with a temperature (1 by default) above `max_temperature`.

    Not cacheable are answers larger than `answer_max_bytes`, and, unless `truncated` allows it, those cut short by a
    limit of tokens.
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
        """Return whether a request with the canonical `fields` may be answered from the cache."""
        if request.operation not in self.operations or request.model in self.left_out:
            return False
        if not self.tools and not _TOOLS.isdisjoint(fields):
            return False
        if "store" in fields or ("n" in fields and not self.several_choices) or ("seed" in fields and not self.seeds):
            return False  # `store`: a provider can only store a request that it gets
        if self.max_temperature is not None:
            temperature = fields.get("temperature", 1)
            if not isinstance(temperature, int | float) or temperature > self.max_temperature:
                return False
        return self.media or not has_media(fields)

    def stores(self, operation: Operation, completion: Completion) -> bool:
        """Return whether an answer is complete, not empty, and small enough to be stored."""
        if len(completion.raw) > self.answer_max_bytes:
            return False
        if operation not in _WITH_CHOICES:
            return bool(completion.raw)
        reasons = completion.finish_reasons
        if not reasons or not (_FINISHED_OR_CUT if self.truncated else _FINISHED).issuperset(reasons):
            return False
        choices = _choices(completion.raw)
        return len(choices) == len(reasons) and all(choice.has_content for choice in choices)


def has_media(fields: Fields) -> bool:
    """Return whether any message has a part that is not text."""
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
    def has_content(self) -> bool:
        if bytes(self.content) not in _EMPTY:
            return True
        return any(
            bytes(each) not in _EMPTY for each in (self.tool_calls, self.function_call, self.refusal, self.audio)
        )


class _Choice(msgspec.Struct, frozen=True):
    message: _Message | None = None
    text: str = ""

    @property
    def has_content(self) -> bool:
        return bool(self.text) if self.message is None else self.message.has_content


class _Whole(msgspec.Struct, frozen=True):
    choices: list[_Choice]


_WHOLE: Final = msgspec.json.Decoder(_Whole)


def _choices(raw: bytes) -> list[_Choice]:
    try:
        return _WHOLE.decode(raw).choices
    except msgspec.DecodeError:
        return []

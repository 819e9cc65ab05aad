"""
Walks through the texts of a JSON body and replaces them.

What is not changed keeps its bytes: a body without changes is returned as it is, otherwise only the values on the path
to a change are encoded again. Unknown fields are texts; the rules name the fields that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from app.core.json_text import OBJECT

Visit: TypeAlias = Callable[[str, str, bool], str]  # of path, text, and whether that is JSON itself: the replacement


_NAME_MAX_CHARS: Final = 40


class Treat(Enum):
    """How to treat a value: as texts, as texts that are JSON, or not at all."""

    TEXT = "text"
    JSON = "json"
    SKIP = "skip"


class Fields(msgspec.Struct, frozen=True):
    """
    How to treat the members of an object, or of each object in a list.

    Those in `last` are visited last. The messages are: they grow from turn to turn, and values that are numbered in the
    order of their appearance in the rest must keep their numbers.
    """

    known: Mapping[str, Treat | Fields]
    others: Treat = Treat.TEXT
    last: tuple[str, ...] = ()


Rule: TypeAlias = Treat | Fields


def rewritten(raw: bytes, rule: Rule, visit: Visit, path: str = "") -> bytes:
    """
    Return `raw`, a JSON value, with each text replaced by the result of `visit`; the same object if none changes.

    Raises:
        msgspec.DecodeError: It is not JSON.
    """
    if rule is Treat.SKIP:
        return raw
    match raw[:1]:
        case b'"':
            return _text(raw, rule, visit, path)
        case b"{":
            return _object(raw, rule, visit, path)
        case b"[":
            return _list(raw, rule, visit, path)
        case b" " | b"\t" | b"\r" | b"\n":
            return rewritten(raw.lstrip(), rule, visit, path)
        case _:
            return raw


def _text(raw: bytes, rule: Rule, visit: Visit, path: str) -> bytes:
    text = msgspec.json.decode(raw, type=str)
    if text.startswith("data:") and ";base64," in text[:128]:
        return raw  # a file, not a text
    new = visit(path, text, rule is Treat.JSON or _is_json(text))
    return raw if new == text else msgspec.json.encode(new)


def _object(raw: bytes, rule: Rule, visit: Visit, path: str) -> bytes:
    members = OBJECT.decode(raw)
    new: dict[str, tuple[str, bytes]] = {}
    changed = False
    known = rule.known if isinstance(rule, Fields) else {}
    others = rule.others if isinstance(rule, Fields) else rule
    for name in _ordered(members, rule):
        value, under = bytes(members[name]), known.get(name, others)
        inner = f"{path}.{_shown(name)}" if path else _shown(name)
        new_name = visit(inner, name, False) if under is Treat.TEXT and name not in known else name
        new_value = rewritten(value, under, visit, inner)
        changed |= new_value is not value or new_name != name
        new[name] = new_name, new_value
    if not changed:
        return raw
    return msgspec.json.encode({new[name][0]: msgspec.Raw(new[name][1]) for name in members})


def _shown(name: str) -> str:
    """Return a member's name for use in a path, or `*` if the name itself may be sensitive."""
    return name if name.replace("_", "").isalpha() and len(name) <= _NAME_MAX_CHARS else "*"


def _ordered(members: Mapping[str, object], rule: Rule) -> Iterator[str]:
    last = rule.last if isinstance(rule, Fields) else ()
    yield from (name for name in members if name not in last)
    yield from (name for name in last if name in members)


def _list(raw: bytes, rule: Rule, visit: Visit, path: str) -> bytes:
    items = [bytes(item) for item in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    new = [rewritten(item, rule, visit, f"{path}[{index}]") for index, item in enumerate(items)]
    if all(one is other for one, other in zip(items, new, strict=True)):
        return raw
    return b"[%b]" % b",".join(new)


def _is_json(text: str) -> bool:
    """Return whether a text is JSON with escapes; JSON without escapes can be treated like other text."""
    if "\\" not in text or text[:1] not in {"{", "["}:
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _fields(others: Treat = Treat.TEXT, last: tuple[str, ...] = (), **known: Rule) -> Fields:
    return Fields(MappingProxyType(known), others, last)


_SKIP: Final = Treat.SKIP
_CALL: Final = _fields(name=_SKIP, arguments=Treat.JSON)
_TOOL_CALL: Final = _fields(id=_SKIP, type=_SKIP, index=_SKIP, function=_CALL, extra_content=_SKIP)
_FILE: Final = _fields(file_data=_SKIP, file_id=_SKIP)
_PART: Final = _fields(type=_SKIP, image_url=_SKIP, input_audio=_SKIP, file=_FILE, cache_control=_SKIP)
# Entries of reasoning and of annotations: their texts, but never their signatures.
DETAILS: Final = _fields(type=_SKIP, signature=_SKIP, data=_SKIP, id=_SKIP, format=_SKIP)
_MESSAGE: Final = _fields(
    reasoning_details=DETAILS,
    role=_SKIP,
    tool_call_id=_SKIP,
    content=_PART,
    tool_calls=_TOOL_CALL,
    function_call=_CALL,
    audio=_SKIP,
    extra_content=_SKIP,
)
_FUNCTION: Final = _fields(name=_SKIP)
_SCHEMA: Final = _fields(type=_SKIP, json_schema=_FUNCTION)

# The body of a chat request.
CHAT: Final = _fields(
    last=("messages",),
    model=_SKIP,
    messages=_MESSAGE,
    tools=_fields(type=_SKIP, function=_FUNCTION),
    functions=_FUNCTION,
    tool_choice=_SKIP,
    function_call=_SKIP,
    response_format=_SCHEMA,
    stream_options=_SKIP,
    modalities=_SKIP,
    audio=_SKIP,
    logit_bias=_SKIP,
    reasoning_effort=_SKIP,
    service_tier=_SKIP,
    prompt_cache_key=_SKIP,
    verbosity=_SKIP,
)
# The body of all other requests: values that are not texts are short, and no detector matches them.
PLAIN: Final = _fields(
    # a conversation whose tokens are to be counted, in Anthropic's form
    messages=_fields(
        role=_SKIP,
        content=_fields(type=_SKIP, id=_SKIP, tool_use_id=_SKIP, name=_SKIP, signature=_SKIP, data=_SKIP, source=_SKIP),
    ),
    model=_SKIP, encoding_format=_SKIP, response_format=_SKIP, size=_SKIP, quality=_SKIP, voice=_SKIP, image=_SKIP,
    mask=_SKIP, b64_json=_SKIP, logit_bias=_SKIP, stream_options=_SKIP,
)  # fmt: skip


def _answer(content: Treat) -> Fields:
    part = _fields(_SKIP, text=content, thinking=Treat.TEXT, refusal=Treat.TEXT)
    said = content if content is Treat.JSON else part
    message = _fields(
        _SKIP,
        content=said,
        refusal=Treat.TEXT,
        reasoning=Treat.TEXT,
        reasoning_content=Treat.TEXT,
        reasoning_details=DETAILS,
        annotations=DETAILS,
        tool_calls=_fields(_SKIP, function=_fields(_SKIP, arguments=Treat.JSON)),
        function_call=_fields(_SKIP, arguments=Treat.JSON),
    )
    return _fields(_SKIP, choices=_fields(_SKIP, message=message, text=Treat.TEXT))


# The body of an answer to a chat, of one whose content is JSON, and of one to anything else.
ANSWER: Final = _answer(Treat.TEXT)
ANSWER_IN_JSON: Final = _answer(Treat.JSON)
PLAIN_ANSWER: Final = _fields(
    id=_SKIP,
    model=_SKIP,
    object=_SKIP,
    usage=_SKIP,
    data=_fields(embedding=_SKIP, b64_json=_SKIP, url=_SKIP, object=_SKIP),
    choices=_fields(logprobs=_SKIP, finish_reason=_SKIP),
)

"""
Refuse invalid requests before any shared state or provider is touched.

The types of the fields were checked when the body was decoded; this stage bounds sizes, characters and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from app.core.call import Call, Reply
from app.core.dialects.absent import ABSENT, is_given
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import OBJECT, deeper_than, spans
from app.core.model import ChatRequest, Message, Part, PlainRequest
from app.core.parameters import Quantities, unfit
from app.core.pipeline import Handler
from app.core.sessions import is_session_id

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# JSON can only write a control character as an escape, so one quick search clears most bodies.
_ESCAPED_CONTROL = re.compile(rb"\\(?:u00|b|f)")

# Fields that the gateway and providers act on: parsers may disagree about a body that holds one of them twice.
_ONCE = re.compile(rb'"(?:model|messages|stream|max_tokens|n|tools|input)"')
_PROVIDER_HISTORY = ("previous_response_id", "conversation")
_SEARCHED_MAX_BYTES = 4096  # up to this size, a search for them is faster than a walk over the members (measured)


class ValidateOptions(msgspec.Struct, frozen=True):
    """
    The bounds of a request.

    `strict` also refuses numbers out of range, unknown roles, empty messages and tool results without a call; `routes`
    overrides it by route.
    """

    max_messages: int
    max_prompt_chars: int
    max_json_depth: int
    allow_control_chars: bool
    quantities: Quantities = Quantities(max_tools=512, max_images=256)
    strict: bool = True
    routes: Mapping[str, bool] = MappingProxyType({})


class Validate:
    """Check requests against the configured bounds."""

    def __init__(self, options: ValidateOptions) -> None:
        self._options = options

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on unchanged.

        Raises:
            GatewayError: As `check` does.
        """
        self.check(call)
        return proceed(call)

    def check(self, call: Call) -> None:
        """
        Check a call.

        Raises:
            GatewayError: INVALID_REQUEST with `param` naming the field.
        """
        request = call.request
        if not request.model:
            raise GatewayError(INVALID_REQUEST, "'model' must not be empty.", param="model")
        if isinstance(request, ChatRequest):
            self.check_chat(request, call.options.session)
        else:
            self._check_plain(request)

    def check_chat(self, request: ChatRequest, session: str | None = None) -> None:
        """
        Check a conversation, whatever will answer it; with a `session`, earlier messages are not in the request.

        Raises:
            GatewayError: As `check` does.
        """
        options, fields = self._options, request.fields
        if not fields.messages:
            raise GatewayError(INVALID_REQUEST, "'messages' must hold at least one message.", param="messages")
        if len(fields.messages) > options.max_messages:
            message = f"'messages' holds {len(fields.messages)} messages; at most {options.max_messages} are allowed."
            raise GatewayError(INVALID_REQUEST, message, param="messages")
        self._check_form(request.raw)
        self._check_text(request)
        strict = options.routes.get(fields.model, options.strict)
        finding = unfit(fields, options.quantities, strict=strict)
        if finding is not None and _has_past(request, session):
            finding = unfit(fields, options.quantities, strict=strict, continued=True)
        if finding is not None:
            param, message = finding
            raise GatewayError(INVALID_REQUEST, message, param=param)

    def _check_plain(self, request: PlainRequest) -> None:
        if request.media_type == "application/json":
            self._check_form(request.raw)
        self._check_size(sum(map(len, request.text)), "input")

    def _check_form(self, raw: bytes) -> None:
        """Refuse a body that is nested too deeply, or holds a top-level field twice."""
        depth_max = self._options.max_json_depth
        if deeper_than(raw, depth_max):
            raise GatewayError(INVALID_REQUEST, f"The body is nested more than {depth_max} levels deep.")
        if len(raw) <= _SEARCHED_MAX_BYTES:
            names = _ONCE.findall(raw)
            if len(names) == len(set(names)):
                return
        if spans(raw) is None:
            raise GatewayError(INVALID_REQUEST, "A top-level field appears twice in the body.")

    def _check_text(self, request: ChatRequest) -> None:
        raw = request.raw
        suspicious = not self._options.allow_control_chars and _may_hold_control(raw)
        if not suspicious and len(raw) <= self._options.max_prompt_chars:
            return  # a text has at most as many characters as the body has bytes
        chars = 0
        for index, message in enumerate(request.fields.messages):
            for path, text in _texts(message):
                chars += len(text)
                if suspicious and _CONTROL.search(text):
                    problem = "contains a control character, which 'validation.allow_control_chars' forbids."
                    raise GatewayError(INVALID_REQUEST, f"The text {problem}", param=f"messages[{index}]{path}")
        self._check_size(chars, "messages")

    def _check_size(self, chars: int, param: str) -> None:
        most = self._options.max_prompt_chars
        if chars > most:
            message = f"The {param} hold {chars} characters; at most {most} are allowed."
            raise GatewayError(INVALID_REQUEST, message, param=param)


def _has_past(request: ChatRequest, session: str | None) -> bool:
    """Return whether earlier messages are stored, in one of our sessions or by the provider."""
    if session is not None and is_session_id(session):
        return True
    members = OBJECT.decode(request.raw)
    return any(is_given(members.get(name, ABSENT)) for name in _PROVIDER_HISTORY)


def _may_hold_control(raw: bytes) -> bool:
    return b"\\" in raw and _ESCAPED_CONTROL.search(raw) is not None


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    """Yield each text of a message with its path below the message."""
    content = message.content
    if isinstance(content, str):
        yield ".content", content
    else:
        for index, part in enumerate(content or ()):
            yield from _texts_of_part(part, f".content[{index}]")
    for index, call in enumerate(message.tool_calls or ()):
        if call.function is not None and call.function.arguments is not None:
            yield f".tool_calls[{index}].function.arguments", call.function.arguments


def _texts_of_part(part: Part, path: str) -> Iterator[tuple[str, str]]:
    if part.text is not None:
        yield f"{path}.text", part.text
    if part.refusal is not None:
        yield f"{path}.refusal", part.refusal

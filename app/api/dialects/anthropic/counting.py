"""`POST /v1/messages/count_tokens`: how long a conversation is, asked before it is sent."""

from __future__ import annotations

from app.api.dialects.anthropic.dialect import MessagesDialect, MessagesStyle
from app.api.dialects.port import Style
from app.api.inbound import Headers
from app.api.wishes import NO_WISHES, Wishes
from app.core.call import Call
from app.core.clock import Clock
from app.core.model import ChatRequest, Completion, Operation, PlainRequest, Request

_CHARS_PER_TOKEN = 3.5  # of English prose and code, in the vocabularies of most models
_PICTURE_TOKENS = (
    1500  # https://platform.claude.com/docs/en/build-with-claude/vision, of the largest that is not resized
)
_MESSAGE_TOKENS = 4


class CountDialect(MessagesDialect):
    """Counts of tokens as Anthropic has them."""

    endpoint = "count_tokens"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, Wishes]:  # noqa: ARG002 - the port's
        """Read the body as if it were to be answered; for those who cannot ask its provider, with an estimate."""
        chat = self._reader.read(raw, counting=True)
        request = PlainRequest(Operation.COUNT_TOKENS, chat.model, raw, user=chat.user, tokens=estimated_tokens(chat))
        return request, NO_WISHES

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return what passes the count on."""
        return CountStyle(call)


class CountStyle(MessagesStyle):
    """The count as it came, which is the same from everybody."""

    def whole(self, completion: Completion) -> bytes:
        """Return the body."""
        return completion.raw


def estimated_tokens(request: ChatRequest) -> int:
    """Return about how many tokens a request has."""
    fields = request.fields
    chars = sum(
        len(bytes(tool.function.parameters)) + len(tool.function.description or "")
        for tool in fields.tools or ()
        if tool.function
    )
    pictures = 0
    for message in fields.messages:
        if isinstance(message.content, str):
            chars += len(message.content)
        else:
            chars += sum(len(part.text or "") for part in message.content or ())
            pictures += sum(part.type != "text" for part in message.content or ())
        chars += sum(len(call.function.arguments or "") for call in message.tool_calls or () if call.function)
    return round(chars / _CHARS_PER_TOKEN) + pictures * _PICTURE_TOKENS + len(fields.messages) * _MESSAGE_TOKENS

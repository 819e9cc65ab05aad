"""`POST /v1/messages/count_tokens`: count the input tokens of a conversation."""

from __future__ import annotations

from app.api.dialects.anthropic.dialect import MessagesDialect, MessagesStyle
from app.api.dialects.anthropic.request import messages_request
from app.api.dialects.port import Style
from app.api.inbound import Headers
from app.api.request_options import NOTHING_ASKED, RequestOptions
from app.core.call import Call
from app.core.clock import Clock
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.tokens import prompt_tokens


class CountDialect(MessagesDialect):
    """Anthropic's token counting."""

    endpoint = "count_tokens"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:  # noqa: ARG002 - the port's
        """Read the body like that of a message; add an estimate, for providers that cannot count."""
        chat = messages_request(raw, counting=True)
        request = PlainRequest(Operation.COUNT_TOKENS, chat.model, raw, user=chat.user, tokens=prompt_tokens(chat))
        return request, NOTHING_ASKED

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return a style that forwards the count."""
        return CountStyle(call)


class CountStyle(MessagesStyle):
    """Forwards the count, whose format is the same whatever its source."""

    def whole(self, completion: Completion) -> bytes:
        """Return the body."""
        return completion.raw

"""How providers of each dialect fail: what they answer when they refuse, and how their streams begin that break off."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.e2e.support.answers import whole
from tests.e2e.support.upstream import Script


def anthropic_refuses(
    status: int, kind: str, message: str = "No.", code: str = "", headers: tuple[str, ...] = ()
) -> Script:
    """Answer with an error of Anthropic's shape."""
    error: dict[str, object] = {"type": kind, "message": message}
    if code:
        error["details"] = {"error_code": code}
    return whole(json.dumps({"type": "error", "error": error, "request_id": "req_of_theirs"}).encode(), status, headers)


def openai_refuses(
    status: int, code: str | None = None, message: str = "No.", kind: str = "some_error", headers: tuple[str, ...] = ()
) -> Script:
    """Answer with an error of OpenAI's shape."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return whole(json.dumps({"error": error}).encode(), status, headers)


OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def _chunk(delta: str) -> bytes:
    head = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m"'
    return f'data: {head},"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}\n\n'.encode()


def _event(kind: str, more: str) -> bytes:
    return f'event: {kind}\ndata: {{"type":"{kind}"{more}}}\n\n'.encode()


MESSAGE = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}'
)
ITEM = '{"type":"message","id":"m_1","status":"in_progress","role":"assistant","content":[]}'
PART = '{"type":"output_text","text":"","annotations":[]}'
BEGUN: Mapping[str, tuple[bytes, ...]] = {
    "anthropic": (
        _event("message_start", f',"message":{MESSAGE}'),
        _event("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}'),
        _event("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":"half of"}'),
    ),
    "chat": (_chunk('{"role":"assistant","content":""}'), _chunk('{"content":"half of"}')),
    "responses": (
        _event("response.created", ',"response":{"id":"resp_1","status":"in_progress","output":[]}'),
        _event("response.output_item.added", f',"output_index":0,"item":{ITEM}'),
        _event("response.content_part.added", f',"item_id":"m_1","output_index":0,"content_index":0,"part":{PART}'),
        _event("response.output_text.delta", ',"item_id":"m_1","output_index":0,"content_index":0,"delta":"half of"'),
    ),
}

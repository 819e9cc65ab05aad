"""What servers of OpenAI's form are sent of requests that came in another dialect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import UNSUPPORTED_FEATURE, GatewayError
from app.core.model import ChatFields, ChatRequest
from app.core.ports import Encoded
from app.providers.openai.codec import OpenAiCodec
from app.providers.openai.quirks import Quirks
from tests.support.golden import agrees, names_in, recorded

GOLDEN = Path(__file__).parents[1] / "golden/openai/translated"
USER = {"role": "user", "content": "Hi"}


def sent(body: dict[str, Any], model: str = "gpt-5", takes: frozenset[str] = frozenset()) -> Encoded:
    """Return what a server is sent of a translated request."""
    raw = json.dumps({"model": "m", "messages": [USER], **body}).encode()
    request = ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw, translated=True)
    return OpenAiCodec(Quirks(takes=takes)).encode(request, Target("box", model))


@pytest.mark.parametrize("name", names_in(GOLDEN))
def test_sends_what_was_recorded(name: str) -> None:
    """Nothing that is not OpenAI's reaches the server, but what it is known to take."""
    path = GOLDEN / f"{name}.json"
    given = recorded(path)

    encoded = sent(given["given"], given["model"], frozenset(given["takes"]))

    agrees(path, "sent", json.loads(encoded.body))
    agrees(path, "dropped", list(encoded.dropped))


def test_what_a_client_of_openais_form_wrote_is_not_touched() -> None:
    """Who writes unknown fields in OpenAI's own form wants them there."""
    raw = b'{ "model":"m", "messages":[], "thinking": {"type":"adaptive"}, "top_k":4 }'
    request = ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)

    assert OpenAiCodec().encode(request, Target("box", "m")).body is raw


@pytest.mark.parametrize("takes", [frozenset[str](), frozenset({"extra_content"})])
def test_what_another_provider_signed(takes: frozenset[str]) -> None:
    """Only servers that know `extra_content` get it back, with messages and with calls."""
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}, "extra_content": {"a": 1}}
    answer = {"role": "assistant", "content": "Hm.", "tool_calls": [call], "extra_content": {"b": 2}}

    body = sent({"messages": [USER, answer, USER]}, takes=takes).body

    assert body.count(b"extra_content") == 2 * len(takes)


def said(*parts: object, role: str = "user") -> dict[str, Any]:
    """Return a body with one message."""
    return {"messages": [{"role": role, "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (said({"type": "search_result", "dialect": "anthropic", "block": {}}), "messages[0].content[0].type"),
        (said({"type": "file", "file": {"file_url": "https://e.org"}}), "messages[0].content[0].file.file_url"),
        (said({"type": "item_reference", "dialect": "responses"}, role="assistant"), "messages[0].content[0].type"),
        ({"tools": [{"type": "web_search", "dialect": "responses", "definition": {}}]}, "tools[0].type"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"mcp_servers": [{"url": "https://e.org"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_what_cannot_be_expressed(body: dict[str, Any], param: str) -> None:
    """What would change the answer is refused by name, so that a fallback may take it."""
    with pytest.raises(GatewayError) as caught:
        sent(body)

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, param)

"""Nothing that a caller says, and no key, ever leaves the gateway by its logs, its metrics or its errors."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.answers import WHOLE, dies, refused, streamed, whole, word
from tests.e2e.support.upstream import Script, Upstream
from tests.e2e.support.wire import connected
from tests.support.gateway import GatewayProcess

CANARY = "kanarienvogel"  # in everything that the caller sends and the provider says
SCHEMA = {"type": "object", "properties": {CANARY: {"type": "string"}}}
BODY = {
    "messages": [
        {"role": "system", "content": f"{CANARY} system"},
        {"role": "user", "content": [{"type": "text", "text": f"{CANARY} part"}], "name": CANARY},
        {"role": "assistant", "content": f"{CANARY} turn", "tool_calls": [
            {"id": CANARY, "type": "function", "function": {"name": CANARY, "arguments": f'{{"a": "{CANARY}"}}'}}]},
        {"role": "tool", "content": CANARY, "tool_call_id": CANARY},
    ],
    "tools": [{"type": "function", "function": {"name": CANARY, "description": CANARY, "parameters": SCHEMA}}],
    "user": CANARY, "metadata": {CANARY: CANARY}, "stop": [CANARY], CANARY: CANARY,
}  # fmt: skip
HEADERS = {
    "authorization": f"Bearer {CANARY}", "x-api-key": CANARY, "cookie": f"session={CANARY}", "user-agent": CANARY,
    "tracestate": f"a={CANARY}", "x-request-id": f"{CANARY} is no sane id",
    "x-anything": CANARY,
}  # fmt: skip
ECHO = f'"content":"{CANARY}"'.encode()
PROVIDER_SAYS = f'{{"error":{{"message":"{CANARY} {PROVIDER_KEY}","type":"{CANARY}","param":"{CANARY}"}}}}'.encode()

SCRIPTS: dict[str, tuple[Script, bool]] = {
    "whole": (whole(WHOLE.replace(b'"content":"one two"', ECHO)), False),
    "stream": (streamed(word(CANARY), word("end"), b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
        True),
    "broken stream": (dies(word(CANARY)), True),
    "bad event": (streamed(word(CANARY), f"data: {CANARY}\n\n".encode()), True),
    "bad answer": (whole(f'{{"{CANARY}": 1}}'.encode()), False),
    "refused": (whole(PROVIDER_SAYS, 400), False),
    "failed": (whole(PROVIDER_SAYS, 500), False),
    "locked": (whole(PROVIDER_SAYS, 401), False),
    "busy": (refused(429, CANARY, headers=("retry-after-ms: 1", f"x-{CANARY}: {CANARY}")), False),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_calls_leave_no_words_behind(gateway: GatewayProcess, upstream: Upstream, name: str) -> None:
    """However a call ends, neither its words nor its headers nor any key are in what the gateway says of it."""
    script, stream = SCRIPTS[name]
    upstream.on("private", script)
    request_id = f"private-{name.replace(' ', '-')}"

    with connected(gateway.port) as wire:
        body = {**BODY, "model": "box/private", "stream": stream}
        named = {"x-request-id": request_id, "idempotency-key": f"{CANARY}-{request_id}"}
        wire.post("/v1/chat/completions", body, {**HEADERS, **named, "connection": "close"})
        answer = wire.rest()

    gateway.wait_for_log("request_started", request_id=request_id)
    said = _said(gateway, request_id)
    assert upstream.received("private")
    assert CANARY not in said
    assert PROVIDER_KEY not in said
    assert PROVIDER_KEY.encode() not in answer


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"model": "sim/echo", "messages": [{{"role": "{CANARY}" "content"}}]}}',
        f'{{"model": "sim/echo", "messages": [{{"role": "user", "content": "{CANARY}\\ud800"}}]}}',
        f'{{"model": "sim/echo", "messages": "{CANARY}"}}',
        f'{{"model": "sim/echo", "messages": [{{"role": "user", "content": {{"{CANARY}": 1}}}}]}}',
        f'{{"model": "sim/echo", "messages": [{{"role": "user", "content": "{CANARY}\\u0000"}}]}}',
    ],
)
def test_refusals_leave_no_words_behind(gateway: GatewayProcess, raw: str) -> None:
    """A body that is refused is quoted neither in the log nor in the answer."""
    with connected(gateway.port) as wire:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: refused-2\r\ncontent-length: {len(raw)}"
        wire.send(f"{head}\r\nconnection: close\r\n\r\n{raw}".encode())
        answer = wire.rest()

    gateway.wait_for_log("request_failed", request_id="refused-2")
    assert b"HTTP/1.1 400" in answer
    assert CANARY.encode() not in answer
    assert CANARY not in _said(gateway, "refused-2")


@pytest.mark.parametrize("path", [f"/{CANARY}?{CANARY}", f"/livez?key={CANARY}", f"/v1/models/{CANARY}"])
def test_paths_are_not_kept(gateway: GatewayProcess, path: str) -> None:
    """A path or query that a caller made up is neither logged nor a label of a metric."""
    gateway.get(path)

    assert CANARY not in _said(gateway, "")


def _said(gateway: GatewayProcess, request_id: str) -> str:
    """Return everything that the gateway has said so far, to everyone but the caller."""
    if request_id:
        gateway.stdout.wait_for(
            lambda lines: any(request_id in line and ("completed" in line or "failed" in line) for line in lines)
        )
    return gateway.stdout.text + gateway.stderr.text + gateway.get("/metrics").text

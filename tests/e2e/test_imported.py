"""A configuration that was LiteLLM's serves LiteLLM's callers."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
import yaml

from app.cli import main
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, Start, running

MASTER = "sk-master-of-litellm"
ANSWER = (
    b'{"id":"1","object":"chat.completion","created":1,"model":"imported","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


def litellm(upstream: str) -> str:
    """Return LiteLLM's file: two servers of one model, one of them dead, an alias, and a fallback."""
    dead = {"model": "openai/imported", "api_base": "http://127.0.0.1:1/v1", "order": 1}
    alive = {"model": "openai/imported", "api_base": upstream, "order": 2, "rpm": 1}
    return yaml.safe_dump(
        {
            "model_list": [
                {"model_name": "fast", "litellm_params": dead},
                {"model_name": "fast", "litellm_params": alive},
            ],
            "router_settings": {"num_retries": 0, "model_group_alias": {"gpt-4": "fast"}},
            "general_settings": {"master_key": MASTER},
        }
    )


def test_callers_go_on_with_key_alias_and_order(
    tmp_path: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """The master key is a key, the alias a model, the next order answers for a dead server, and rpm is a limit."""
    (tmp_path / "litellm.yaml").write_text(litellm(upstream.url))
    assert main(["import", "litellm", str(tmp_path / "litellm.yaml")]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    upstream.on("imported", lambda exchange: exchange.answer(ANSWER))
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]}

    with running(Start({**config, "server": {}})) as gateway, httpx2.Client(**LOCAL) as http:
        url = f"{gateway.url}/v1/chat/completions"
        known = {"authorization": f"Bearer {MASTER}"}
        nobody = http.post(url, json=body)
        first, second = (http.post(url, json=body, headers=known) for _ in range(2))

    assert nobody.status_code == 401
    assert (first.status_code, first.headers["x-wizard-fallback"]) == (200, "1")
    assert "rate_limited" in [attempt["code"] for attempt in second.json()["error"]["attempts"]]

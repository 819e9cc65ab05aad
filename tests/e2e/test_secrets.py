"""
Secrets are planted wherever a gateway keeps or meets one, and then everything it says is searched for them.

Every sink at once, at the level debug: both forms of the log, metrics, spans, the administration, answers to callers,
health, the request log, and what the commands print.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.support.answers import WHOLE, dies, streamed, whole, word
from tests.e2e.support.asking import bearer, send
from tests.e2e.support.collector import Collector, collecting
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LIMIT_S, GatewayProcess, Start, clean_environment, eventually, running, wizard

WORD = "nachtigall"  # in every secret, so that a piece of one is found, too
KEYS = {
    name: f"sk-{WORD}-{name}-0123456789abcdef"
    for name in (
        *("api_key", "api_key_file", "api_keys_1", "api_keys_2", "header", "pepper", "admin_token", "redis_password"),
        *("webhook", "classifier", "hash_key", "otlp_header", "tripwire", "virtual"),
    )
}
OWN = {
    "one": (KEYS["api_key"], KEYS["header"]),
    "filed": (KEYS["api_key_file"],),
    "several": (KEYS["api_keys_1"], KEYS["api_keys_2"]),
}
SAID = {name: f"{WORD} {name}" for name in ("prompt", "completion", "arguments", "idempotency", "cookie", "user")}
BODY = {
    "messages": [
        {"role": "user", "content": SAID["prompt"]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": json.dumps(SAID)}}]},
        {"role": "tool", "content": SAID["arguments"], "tool_call_id": "c1"},
    ],
    "user": SAID["user"],
}  # fmt: skip
QUOTING = json.dumps({"error": {"message": f"Incorrect key {' '.join(KEYS.values())}", "code": KEYS["api_key"]}})
ADMIN_PATHS = (
    *("circuits", "health", "cache", "keys", "limits", "sessions", "usage", "usage?format=csv", "budgets", "stats"),
    *("requests?steps=true", "config", "nothing"),
)


def configuration(upstream: Upstream, collector: Collector, folder: Path) -> dict[str, Any]:
    """Return a configuration with a secret in every place that takes one."""
    upstream.on("", whole(QUOTING.encode(), 500))  # to the classifier, the webhook, and who asks for models
    for name in ("api_key_file", "pepper"):
        (folder / name).write_text(KEYS[name])
    digest = hmac.new(KEYS["pepper"].encode(), KEYS["virtual"].encode(), hashlib.sha256).hexdigest()
    box = {"kind": "openai", "base_url": upstream.url}
    return {
        "auth": {"required": True, "pepper_file": str(folder / "pepper")},
        "keys": [{"name": "caller", "hash": f"hmac-sha256:{digest}"}],
        "providers": {
            "one": {**box, "api_key": KEYS["api_key"], "headers": {"x-account": KEYS["header"]}},
            "filed": {**box, "api_key_file": str(folder / "api_key_file")},
            "several": {**box, "api_keys": [KEYS["api_keys_1"], KEYS["api_keys_2"]]},
            "sim": {"kind": "sim", "models": ["echo"]},
        },
        "redis": {"url": f"redis://user:{KEYS['redis_password']}@127.0.0.1:1/0"},
        "admin": {"token": "${WIZARD_ADMIN_TOKEN}"},
        "alerts": {"webhook_url": f"{upstream.url}/{KEYS['webhook']}?sig={KEYS['webhook']}"},
        "budgets": [{"name": "all", "usd": 0.0000001, "hard": False, "warn": [0.1]}],
        "prices": {"one/*": {"input": 100, "output": 100}},
        "guards": {
            "injection": {"policy": "flag", "classifier": {"url": f"{upstream.url}/c", "api_key": KEYS["classifier"]}},
        },
        "redaction": {"enabled": True, "hash_key": KEYS["hash_key"], "action": "hash"},
        "tracing": {"enabled": True, "endpoint": collector.url, "headers": {"x-key": KEYS["otlp_header"]}},
        "request_log": {"enabled": True, "debug": "always"},
        "logging": {"level": "debug"},
        "retry": {"max_attempts": 2, "base_s": 0.01, "max_s": 0.01},
        "circuit_breaker": {"enabled": False},
    }


def leaks(text: str) -> set[str]:
    """Return the lines of `text` with a secret in them."""
    return {line[:300] for line in text.splitlines() if WORD in line}


@contextmanager
def planted(upstream: Upstream, folder: Path, line_format: str) -> Iterator[tuple[GatewayProcess, Collector, Path]]:
    """Run a gateway full of secrets, with the collector of its spans and the file of its configuration."""
    with collecting() as collector:
        config = configuration(upstream, collector, folder)
        config["logging"]["format"] = line_format
        variables = {"WIZARD_ADMIN_TOKEN": KEYS["admin_token"], "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with running(Start(config, variables=variables)) as gateway:
            yield gateway, collector, gateway.config_path


def calls(gateway: GatewayProcess, upstream: Upstream) -> Iterator[str]:
    """Make calls that end in every way, and yield what the gateway answers where a provider's words must not pass."""
    headers = {**bearer(KEYS["virtual"]), "cookie": SAID["cookie"], "x-wizard-debug": "1", "x-anything": WORD}
    done = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    upstream.on("good", whole(WHOLE.replace(b"one two", SAID["completion"].encode())))
    upstream.on("streamed", streamed(word(SAID["completion"]), done))
    upstream.on("broken", dies(word("beginning")))
    for status in (400, 401, 403, 404, 429, 500, 503):
        upstream.on(f"says-{status}", whole(QUOTING.encode(), status, (f"x-account: {KEYS['header']}",)))
    for provider in ("one", "filed", "several"):
        _chat(gateway, headers, f"{provider}/good")
        _chat(gateway, headers, f"{provider}/streamed", stream=True)
        for status in (401, 403, 404, 429, 500, 503):
            yield _chat(gateway, headers, f"{provider}/says-{status}")
        blamed = _chat(gateway, headers, f"{provider}/says-400")  # in the provider's own words, but for our keys
        yield "".join(key for key in OWN[provider] if key in blamed)
    for wrong in (KEYS["api_key"], KEYS["admin_token"], "wz-" + WORD):
        yield _chat(gateway, bearer(wrong), "one/good")
    yield send(gateway, "GET", f"/admin/keys/{WORD}", bearer(KEYS["virtual"])).text.replace(f"/{WORD}", "")
    yield send(gateway, "POST", "/v1/chat/completions", headers, f'{{"{WORD}": '.encode()).text
    yield gateway.get("/readyz").text


def _chat(gateway: GatewayProcess, headers: Mapping[str, str], model: str, *, stream: bool = False) -> str:
    given = {**headers, "idempotency-key": f"{SAID['idempotency']} {model}".replace(" ", "-")}
    answer = send(gateway, "POST", "/v1/chat/completions", given, {**BODY, "model": model, "stream": stream})
    return f"{answer.headers}{answer.text}"


@pytest.mark.parametrize("line_format", ["json", "console"])
def test_no_secret_comes_out_anywhere(upstream: Upstream, tmp_path: Path, line_format: str) -> None:
    """Calls, refusals, failures and an operator who looks at everything leave no secret in any sink."""
    with planted(upstream, tmp_path, line_format) as (gateway, collector, _):
        answers = "\n".join(calls(gateway, upstream))
        told = [send(gateway, "GET", f"/admin/{path}", bearer(KEYS["admin_token"])).text for path in ADMIN_PATHS]
        told.append(send(gateway, "POST", "/admin/config/reload", bearer(KEYS["admin_token"])).text)
        metrics = gateway.get("/metrics").text
        eventually(lambda: collector.spans(http__response__status_code=200) or collector.raw, "no span came")

    sinks = {
        "answers": answers,
        "administration": "\n".join(told),
        "metrics": metrics,
        "log": gateway.stdout.text + gateway.stderr.text,
        "spans": b"\n".join(collector.raw).decode("latin-1"),
    }
    assert {name: found for name, text in sinks.items() if (found := leaks(text))} == {}
    assert collector.headers[0]["x-key"] == KEYS["otlp_header"]
    assert any(
        KEYS["api_key_file"] in request.headers.get("authorization", "") for request in upstream.received("good")
    )


@pytest.mark.parametrize(
    "arguments", [("check",), ("explain", "request.json"), ("doctor",), ("doctor", "--json")], ids=" ".join
)
def test_no_command_prints_a_secret(upstream: Upstream, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What the commands print can be pasted into an issue, with a good configuration and with a bad one."""
    with collecting() as collector:
        config = configuration(upstream, collector, tmp_path)
    (tmp_path / "request.json").write_text(json.dumps({**BODY, "model": "one/good"}))
    printed = ""

    for bad in ({}, {"alerts": {"webhook_url": f"ftp://{KEYS['webhook']}"}, "redis": {"url": KEYS["redis_password"]}}):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({**config, **bad}))
        environment = clean_environment({"WIZARD_ADMIN_TOKEN": KEYS["admin_token"]})
        done = subprocess.run(
            wizard(*arguments),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        printed += done.stdout + done.stderr
        assert printed

    assert leaks(printed) == set()

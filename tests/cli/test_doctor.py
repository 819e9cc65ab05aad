"""`wizard doctor` finds what is wrong, says it in words, and says what to do."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import yaml

from app.cli import main
from tests.cli.conftest import Write
from tests.support.gateway import Start, running
from tests.support.redis_server import redis_server
from tests.support.upstream_server import UpstreamServer, always, whole

MODELS = b'{"data":[{"id":"small"},{"id":"big"}]}'
PORT = {"server": {"port": 9}}  # where nobody listens


async def examined(write: Write, capsys: pytest.CaptureFixture[str], config: dict[str, Any]) -> tuple[int, list[Any]]:
    """Examine a configuration, and return the exit code and the findings."""
    name = write(yaml.safe_dump({**PORT, **config}))
    code = await asyncio.to_thread(main, ["doctor", "--config", name, "--json"])
    return code, msgspec.json.decode(capsys.readouterr().out)["findings"]


def about(findings: list[Any], subject: str) -> list[tuple[str, str]]:
    """Return verdict and words of what was found about a subject."""
    return [(finding["verdict"], finding["found"]) for finding in findings if finding["subject"] == subject]


def box(url: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - settings
    """Return a configuration with one provider at this address, and a route to one of its models."""
    return {
        "providers": {"box": {"kind": "openai", "base_url": f"{url}/v1", **more}},
        "models": {"fast": {"targets": [{"provider": "box", "model": "small"}]}},
    }


async def test_a_gateway_that_is_well(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong: exit code 0, and each thing that was looked at is named."""
    async with UpstreamServer(always(whole(MODELS))) as server:
        code, findings = await examined(write, capsys, box(server.url, api_key="sk-canary"))

    assert code == 0
    assert {"configuration", "python", "open files", "exposure", "gateway", "redis", "provider box"} <= {
        finding["subject"] for finding in findings
    }
    assert about(findings, "provider box")[0][0] == "ok"
    assert "lists 2 models" in about(findings, "provider box")[0][1]
    assert "canary" not in str(findings)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "words"),
    [
        (401, b"{}", "wrong", "refuses the key"),
        (503, b"{}", "wrong", "answers 503"),
        (404, b"{}", "ok", "does not list its models"),
        (200, b'{"data":[{"id":"other"}]}', "warning", "does not list small"),
    ],
)
async def test_a_provider_that_is_not(
    write: Write, capsys: pytest.CaptureFixture[str], status: int, body: bytes, verdict: str, words: str
) -> None:
    """A refused key, a provider that fails, and a model it does not have are told apart."""
    async with UpstreamServer(always(whole(body, status))) as server:
        code, findings = await examined(write, capsys, box(server.url))

    found = about(findings, "provider box")
    assert (code, found[0][0]) == (int(verdict == "wrong"), verdict)
    assert words in found[0][1]


async def test_each_key_is_tried(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several keys each is asked with, so that a dead one is found among good ones."""
    async with UpstreamServer(always(whole(MODELS))) as server:
        _, findings = await examined(write, capsys, box(server.url, api_keys=["sk-1", "sk-2"]))

        assert [request.header("authorization") for request in server.requests] == ["Bearer sk-1", "Bearer sk-2"]
    assert len(about(findings, "provider box, key 2")) == 1


async def test_nobody_is_there(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the provider nor Redis: both are named, and the code is 1."""
    config = {**box("http://127.0.0.1:9"), "redis": {"url": "redis://127.0.0.1:9"}}

    code, findings = await examined(write, capsys, config)

    assert code == 1
    assert [verdict for verdict, _ in about(findings, "provider box") + about(findings, "redis")] == ["wrong", "wrong"]
    assert all(finding["advice"] for finding in findings if finding["verdict"] != "ok")


async def test_clocks_that_disagree(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider's date says that this machine's clock is wrong."""
    late = whole(MODELS, 200, "date: Thu, 01 Jan 2026 12:00:00 GMT")
    async with UpstreamServer(always(late)) as server:
        _, findings = await examined(write, capsys, box(server.url))

    assert [verdict for verdict, _ in about(findings, "clock")] == ["warning"]


async def test_a_redis_that_forgets(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """One that answers is well; one that may forget limits when it is full is not fit for them."""
    with redis_server() as redis:
        _, well = await examined(write, capsys, {"redis": {"url": redis.url}})
        redis.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        _, forgetful = await examined(write, capsys, {"redis": {"url": redis.url}})

    assert [verdict for verdict, _ in about(well, "redis")] == ["ok"]
    assert ("warning", "may forget any key when it is full (allkeys-lru)") in about(forgetful, "redis")


@pytest.mark.parametrize(
    ("config", "subject", "words"),
    [
        ({"server": {"host": "0.0.0.0", "port": 9}, "auth": {"allow_open": True}}, "exposure", "can spend"),  # noqa: S104 - what is warned of
        ({"server": {"host": "gateway.internal", "port": 9}, "auth": {"allow_open": True}}, "exposure", "can spend"),
        ({"admin": {"token": "short"}}, "administration", "guessed"),
        ({"server": {"workers": 2, "port": 9}}, "redis", "2 workers"),
    ],
)
async def test_what_will_not_do_for_everybody(
    write: Write, capsys: pytest.CaptureFixture[str], config: dict[str, Any], subject: str, words: str
) -> None:
    """Doubtful settings are warned of, and are not wrong."""
    code, findings = await examined(write, capsys, config)

    found = about(findings, subject)
    assert (code, found[0][0]) == (0, "warning")
    assert words in found[0][1]


async def test_a_gateway_that_runs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With the same configuration all is well; with another one somebody has forgotten to reload."""
    config = {"providers": {"sim": {"kind": "sim"}}}
    with running(Start(config)) as gateway:
        same = {**config, "server": {"port": gateway.port, "drain_delay_s": 0}}
        gateway.write_config(same)
        _, other = await examined(write, capsys, {**same, "timeouts": {"total_s": 9}})

    assert [verdict for verdict, _ in about(other, "gateway")] == ["warning"]
    assert "another configuration" in about(other, "gateway")[0][1]


async def test_something_else_listens(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Who answers there is no gateway."""
    async with UpstreamServer(always(whole(b"<html>"))) as server:
        port = int(server.url.rpartition(":")[2])
        _, findings = await examined(write, capsys, {"server": {"port": port}})

    assert about(findings, "gateway") == [("warning", f"something else listens at http://127.0.0.1:{port}")]


def test_for_people(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each finding, and the advice below it."""
    code = main(["doctor", "--config", write(yaml.safe_dump({**PORT, "admin": {"token": "short"}}))])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert any(line.startswith("ok       configuration: given.yaml is good") for line in lines)
    advised = lines.index("warning  administration: admin.token is short enough to be guessed")
    assert lines[advised + 1].strip() == "use 32 random characters"


def test_a_bad_configuration_comes_first(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read cannot be examined: every problem, and exit code 2."""
    code = main(["doctor", "--config", write("nonsense: 1")])

    assert code == 2
    assert "nonsense" in capsys.readouterr().err

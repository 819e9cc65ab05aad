"""The verbs that talk to a gateway which is running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from app.cli import main
from tests.cli.conftest import Write
from tests.support.gateway import GatewayProcess, Start, running
from tests.support.upstream_server import UpstreamServer, always, whole

CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim"}},
    "circuit_breaker": {"failure_threshold": 1},
    "retry": {"max_attempts": 1},
    "admin": {"token": "canary-token"},
}


NO_ADMIN = (
    b'{"error":{"code":"not_found","message":"There is nothing at \'/admin/cache\'.","suggestion":"Look elsewhere."}}'
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway."""
    with running(Start(CONFIG)) as process:
        yield process


def at(gateway: GatewayProcess, *arguments: str, token: str = "canary-token") -> list[str]:
    """Return a command line that names this gateway."""
    return [*arguments, "--url", gateway.url, "--token", token]


def test_circuits_are_shown_and_forced(gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """One that failed is listed; an operator closes and opens it by hand, and sees what became of it."""
    gateway.ask("sim/fail")

    codes = [main(at(gateway, "circuits"))]
    listed = capsys.readouterr().out
    codes.append(main(at(gateway, "circuits", "reset", "sim/fail")))
    reset = capsys.readouterr().out
    codes.append(main(at(gateway, "circuits", "open", "sim/fail", "--json")))
    opened = msgspec.json.decode(capsys.readouterr().out)

    assert codes == [0, 0, 0]
    assert [line.split()[:2] for line in listed.splitlines()] == [["target", "state"], ["sim/fail", "open"]]
    assert "closed" in reset
    assert (opened["target"], opened["state"], opened["forced"]) == ("sim/fail", "open", True)


def test_a_gateway_without_trouble_has_no_circuits(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to show is said, not shown as an empty table."""
    with running(Start(CONFIG)) as calm:
        code = main(at(calm, "circuits"))

    assert (code, capsys.readouterr().out) == (0, "no circuit was ever anything but closed\n")


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (("circuits", "open"), "canary-token", "which target?"),
        (("circuits",), "wrong", "send it with --token, or from WIZARD_ADMIN_TOKEN"),
        (("circuits",), "", "send it with --token, or from WIZARD_ADMIN_TOKEN"),
        (("circuits", "open", "nobody/nothing"), "canary-token", "nobody/nothing"),
    ],
)
def test_refusals_are_told_in_words(
    gateway: GatewayProcess, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], token: str, words: str
) -> None:
    """What the gateway refuses, and what is left out, ends with 1 and the reason; no secret and no trace."""
    code = main(at(gateway, *arguments, token=token))

    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    assert words in printed.err
    assert "canary" not in printed.err


def test_without_flags_the_configuration_says_where(
    gateway: GatewayProcess, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Address and token of the gateway on this machine are in its own configuration."""
    server, rest = f"{{host: 0.0.0.0, port: {gateway.port}}}", "auth: {allow_open: true}\nadmin: {token: canary-token}"
    write(f"server: {server}\n{rest}\n", "config.yaml")

    code = main(["circuits", "--json"])

    assert code == 0
    assert "circuits" in msgspec.json.decode(capsys.readouterr().out)


def test_the_address_may_be_that_of_sdks(gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """With the /v1 that every base URL has."""
    code = main(["circuits", "--json", "--url", f"{gateway.url}/v1/", "--token", "canary-token"])

    assert code == 0
    assert "circuits" in msgspec.json.decode(capsys.readouterr().out)


def test_nobody_answers(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A gateway that is not there is named with its address, and what to do."""
    write("server: {port: 9}", "config.yaml")

    code = main(["stats"])

    printed = capsys.readouterr().err
    assert code == 1
    assert "http://127.0.0.1:9" in printed
    assert "wizard serve" in printed


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, NO_ADMIN, "no such administration"),
        (404, b"{}", "not like a gateway"),
        (502, b"<html>", "not like a gateway"),
        (500, b"[]", "not like a gateway"),
    ],
)
async def test_somebody_else_answers(capsys: pytest.CaptureFixture[str], status: int, body: bytes, words: str) -> None:
    """What does not answer as a gateway does is said to be none."""
    async with UpstreamServer(always(whole(body, status))) as server:
        code = await asyncio.to_thread(main, ["cache", "--url", server.url, "--token", "t"])

    assert code == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "query"),
    [
        ((), ""),
        (("--model", "fast"), "?model=fast"),
        (("--prefix", "ab"), "?prefix=ab"),
        (("--key", "abc"), "?key=abc"),
        (("--expired",), "?expired=true"),
    ],
)
async def test_the_cache_is_cleared_as_asked(
    capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], query: str
) -> None:
    """Each flag is the query of the contract; without one everything goes."""
    async with UpstreamServer(always(whole(b'{"removed":3}'))) as server:
        arguments = ["cache", "clear", *flags, "--url", server.url, "--token", "t"]
        code = await asyncio.to_thread(main, arguments)

        asked = server.requests[0]
        assert (asked.method, asked.target, asked.header("authorization")) == (
            "DELETE",
            f"/admin/cache{query}",
            "Bearer t",
        )
    assert (code, capsys.readouterr().out.split()) == (0, ["removed", "3"])


@pytest.mark.parametrize("verb", ["cache", "stats"])
async def test_what_the_gateway_says_is_printed(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """As lines with those of a group under it, or as JSON."""
    told = {"entries": 12_345, "hits": {"exact": 2, "since": None}, "models": ["a", "b"], "enabled": True}
    async with UpstreamServer(always(whole(msgspec.json.encode(told)))) as server:
        flags = ["--url", server.url, "--token", "t"]
        codes = [await asyncio.to_thread(main, [verb, *flags])]
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        codes.append(await asyncio.to_thread(main, [verb, *flags, "--json"]))
        as_json = msgspec.json.decode(capsys.readouterr().out)

        assert {request.target for request in server.requests} == {f"/admin/{verb}"}
    assert codes == [0, 0]
    assert lines == [
        ["entries", "12,345"],
        ["hits"],
        ["exact", "2"],
        ["since", "-"],
        ["models", "a,", "b"],
        ["enabled", "true"],
    ]
    assert as_json == told

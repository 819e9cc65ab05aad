"""The administration's door, asked at every address that the gateway says it has, and what is written down of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support.asking import ADMIN, ADMIN_TOKEN, NOBODY, admin, bearer, send
from tests.support.gateway import GatewayProcess, Start, running

KEY = "wz-canary-of-a-caller"
CONFIG: dict[str, Any] = {
    "auth": {"required": True},
    "keys": [{"name": "all", "hash": f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}],
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}},
    "passthrough": {"enabled": True},
    "admin": {"token": "${WIZARD_ADMIN_TOKEN:-}"},
}
GUARDED = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway that requires keys, with an administration."""
    with running(Start(CONFIG, variables={"WIZARD_ADMIN_TOKEN": ADMIN_TOKEN})) as process:
        yield process


def routes(gateway: GatewayProcess) -> list[tuple[str, str, str]]:
    """Return method, an address and the role of every route that the gateway has."""
    return [
        (method.upper(), re.sub(r"\{\w+\}", "sim", path), (operation["security"] or [{"anybody": []}])[0].popitem()[0])
        for path, operations in gateway.get("/openapi.json").json()["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


def test_every_route_behaves_as_its_role_says(gateway: GatewayProcess) -> None:
    """As nobody, with a wrong token or with a caller's key, each lets in whom it declares, and nobody else."""
    wrong: list[tuple[str, str, str, int]] = []

    for method, path, role in routes(gateway):
        as_nobody = send(gateway, method, path, NOBODY, {} if method == "POST" else None).status_code
        as_caller = send(gateway, method, path, bearer(KEY), {} if method == "POST" else None).status_code
        if (as_nobody == 401) != (role != "anybody") or (as_caller == 401) != (role == "admin"):
            wrong.append((method, path, role, as_nobody))

    assert wrong == []
    assert len({path for _, path, role in routes(gateway) if role == "admin"}) >= 20


def test_without_a_token_nothing_is_there() -> None:
    """With no token configured every administrative address, whatever the method and the token sent, answers 404."""
    with running(Start(CONFIG)) as closed:
        found = {
            send(closed, method, path, headers).status_code
            for method, path, role in [*routes(closed), ("GET", "/admin", "admin"), ("PUT", "/admin/keys", "admin")]
            for headers in (NOBODY, ADMIN)
            if role == "admin"
        }

        assert found == {404}
        assert "admin_" not in closed.stdout.text


def test_what_only_begins_like_it_is_no_administration(gateway: GatewayProcess) -> None:
    """It is as unknown as any other address."""
    assert send(gateway, "GET", "/administrator", {}).status_code == 404


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/nothing", "/admin/keys/x/y", "/admin%2Fkeys"])
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
def test_what_is_not_there_tells_nothing(gateway: GatewayProcess, method: str, path: str) -> None:
    """Whoever has no token cannot find out which addresses exist, nor which methods they take."""
    answer = send(gateway, method, path, bearer("guessed"))

    assert answer.status_code == 401
    assert "allow" not in answer.headers


@pytest.mark.parametrize("headers", [ADMIN, NOBODY], ids=["operator", "nobody"])
def test_answers_are_safe_in_a_browser(gateway: GatewayProcess, headers: dict[str, str]) -> None:
    """No answer of the administration is kept, framed, or taken for something else."""
    answer = send(gateway, "GET", "/admin/config", headers)

    assert {name: answer.headers[name] for name in GUARDED} == GUARDED


@pytest.mark.parametrize("path", ["/", "/admin/keys", "/v1/models", "/v1/chat/completions", "/readyz", "/pass/sim/x"])
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
def test_no_other_page_may_read(gateway: GatewayProcess, method: str, path: str) -> None:
    """A page from elsewhere gets no CORS answer, whether it asks first or not."""
    asking = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}

    answer = send(gateway, method, path, {**asking, **ADMIN})

    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_changes_are_written_down(gateway: GatewayProcess) -> None:
    """Who changed what, from where and how it ended; the secret that was made is nowhere in the log."""
    made = admin(gateway, "POST", "/keys", {"name": "confidential-name"}).json()

    send(gateway, "DELETE", f"/admin/keys/{made['id']}", {**ADMIN, "x-request-id": "req-of-the-operator"})

    found = gateway.wait_for_log("admin_action", action="DELETE /admin/keys/{key_id}", status=200)
    assert {name: found[name] for name in ("level", "request_id", "who", "peer", "subject")} == {
        "level": "info",
        "request_id": "req-of-the-operator",
        "who": "admin",
        "peer": "127.0.0.1",
        "subject": made["id"],
    }
    assert made["key"] not in gateway.stdout.text
    assert "confidential-name" not in gateway.stdout.text


def test_changes_that_fail_are_written_down_without_what_was_sent(gateway: GatewayProcess) -> None:
    """An operator who pastes a key into an address does not find it in the log."""
    admin(gateway, "DELETE", "/keys/wz-pasted-by-mistake?wz-pasted=1")

    found = gateway.wait_for_log("admin_action", action="DELETE /admin/keys/{key_id}", status=404)

    assert "subject" not in found
    assert "wz-pasted" not in gateway.stdout.text


def test_looking_is_not_written_down_but_for_the_words_of_callers(gateway: GatewayProcess) -> None:
    """Figures may be looked at without an entry, a dry run too; a session that is opened leaves one."""
    session = send(gateway, "POST", "/v1/sessions", bearer(KEY), {}).json()["id"]
    admin(gateway, "GET", "/circuits")
    send(gateway, "POST", "/admin/explain", {**ADMIN, "x-api-key": KEY}, {"model": "sim/echo", "prompt": "hi"})

    admin(gateway, "GET", f"/sessions/{session}")

    found = gateway.wait_for_log("admin_action", action="GET /admin/sessions/{session_id}")
    assert found["subject"] == session
    assert not [line for line in gateway.logs() if line.get("action") in {"GET /admin/circuits", "POST /admin/explain"}]


def test_strangers_are_written_down(gateway: GatewayProcess) -> None:
    """Whoever knocks without the token is a warning with its address, and not a word of what it sent."""
    send(gateway, "POST", "/admin/keys", {**bearer("guessed-token"), "x-request-id": "req-of-a-stranger"})

    found = gateway.wait_for_log("admin_refused", request_id="req-of-a-stranger")

    assert (found["level"], found["who"], found["peer"], found["status"]) == ("warning", "stranger", "127.0.0.1", 401)
    assert "guessed-token" not in gateway.stdout.text

"""Signed tokens over HTTP, with an issuer that publishes its keys on a server of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from tests.e2e.support.asking import ADMIN_TOKEN, admin, bearer, chat, code
from tests.identity.issuing import AUDIENCE, ISSUER, published, token
from tests.support.gateway import GatewayProcess, Start, eventually, running


class Issuer:
    """A server with a key set at its only address."""

    def __init__(self) -> None:
        self.names = ["one"]
        issuer = self

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = msgspec.json.encode(published(*issuer.names))
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """Run an issuer."""
    found = Issuer()
    yield found
    found.close()


@pytest.fixture(scope="module")
def gateway(issuer: Issuer) -> Iterator[GatewayProcess]:
    """Run a gateway that takes its tokens."""
    jwt = {"jwks_url": issuer.url, "issuer": ISSUER, "audience": [AUDIENCE], "claims": {"models": "models"}}
    config: dict[str, Any] = {
        "auth": {"required": True, "jwt": jwt},
        "providers": {"sim": {"kind": "sim"}},
        "admin": {"token": ADMIN_TOKEN},
    }
    with running(Start(config)) as process:
        process.wait_for_log("token_keys_loaded", keys=1)
        yield process


def signed(by: str = "one", **claims: object) -> str:
    """Return a token that is good for an hour."""
    return token(by, **{"exp": int(time.time()) + 3600, **claims}).decode()  # type: ignore[arg-type] # claims


def test_a_token_is_as_good_as_a_key(gateway: GatewayProcess) -> None:
    """It lets its subject in, with the models that it names; keys work beside it."""
    key = admin(gateway, "POST", "/keys").json()["key"]
    tokens = [signed(), signed(models=["sim/echo"]), signed(models="other")]

    answers = [code(chat(gateway, bearer(each))) for each in (*tokens, key)]

    assert answers == ["ok", "ok", "forbidden", "ok"]


def test_a_bad_token_is_none(gateway: GatewayProcess) -> None:
    """Signed by somebody else, for somebody else, or over."""
    tokens = [signed("two"), signed(aud="other"), signed(exp=int(time.time()) - 3600), f"{signed()[:-4]}AAAA"]

    answers = [chat(gateway, bearer(each)) for each in tokens]

    assert [(401, "unauthorized")] * 4 == [(answer.status_code, code(answer)) for answer in answers]
    assert not [each for each in tokens if each in gateway.stdout.text]


def test_a_new_key_of_the_issuer(gateway: GatewayProcess, issuer: Issuer) -> None:
    """It is fetched when the first token names it, but not within the pause after the last fetch."""
    issuer.names = ["one", "three"]

    eventually(lambda: code(chat(gateway, bearer(signed("three")))) == "ok", "the new key was never fetched")

    gateway.wait_for_log("token_keys_loaded", keys=2)

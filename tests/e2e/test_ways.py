"""Providers that are reached in a way of their own: own certificates, a socket in the file system, HTTP/2."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
import pytest
import trustme

from tests.e2e.support import answers
from tests.e2e.support.http2 import speaking_http2
from tests.e2e.support.upstream import listening
from tests.support.certificates import serving_as
from tests.support.gateway import LIMIT_S, GatewayProcess, Start, running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority of our own."""
    return trustme.CA()


def trusting(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """Write the authority's certificate to a file, and return the settings that name it."""
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return {"ca_file": str(path)}


def configuration(base_url: str, **more: object) -> dict[str, Any]:
    """Return a configuration with one provider, called `box`."""
    return {
        "providers": {"box": {"kind": "openai", "base_url": base_url, **more}},
        "retry": {"max_attempts": 1},
        "circuit_breaker": {"enabled": False},
    }


def streamed(gateway: GatewayProcess, model: str) -> httpx2.Response:
    """Ask a model to say hi, as a stream."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with httpx2.Client(trust_env=False, timeout=LIMIT_S) as client:
        return client.post(f"{gateway.url}/v1/chat/completions", json=body)


def test_a_provider_with_a_certificate_of_the_house(authority: trustme.CA, tmp_path: Path) -> None:
    """With the file of its authority it is trusted, and one that wants to know its clients gets a certificate."""
    authority.issue_cert("gateway.test").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    tls = {**trusting(authority, tmp_path), "certificate_file": str(tmp_path / "own.pem")}
    with (
        listening(context=serving_as(authority, demanding=True)) as upstream,
        running(Start(configuration(f"https://localhost:{upstream.port}/v1", tls=tls))) as gateway,
    ):
        upstream.on("whole", answers.whole())
        upstream.on("streamed", answers.streamed())

        whole, stream = gateway.ask("box/whole"), streamed(gateway, "box/streamed")

    assert (whole.status_code, whole.content) == (200, answers.WHOLE)
    assert stream.content == answers.STREAM


def test_a_stranger_is_not_trusted(authority: trustme.CA) -> None:
    """Without the file nothing is sent to it, and the error says that its certificate is at fault."""
    with (
        listening(context=serving_as(authority)) as upstream,
        running(Start(configuration(f"https://localhost:{upstream.port}/v1"))) as gateway,
    ):
        upstream.on("whole", answers.whole())

        refused = gateway.ask("box/whole")

        assert upstream.received("whole") == []
    assert refused.json()["error"]["code"] == "target_unavailable"
    assert "certificate" in refused.json()["error"]["message"]


def test_renewed_certificates_are_read_again(tmp_path: Path) -> None:
    """A provider that moved to another authority is trusted as soon as the file says so, without a restart."""
    old, new = trustme.CA(), trustme.CA()
    tls = trusting(old, tmp_path)
    with (
        listening(context=serving_as(new)) as upstream,
        running(Start(configuration(f"https://localhost:{upstream.port}/v1", tls=tls))) as gateway,
    ):
        upstream.on("whole", answers.whole())
        before = gateway.ask("box/whole")
        trusting(new, tmp_path)

        after = gateway.ask("box/whole")

    assert (before.status_code, after.status_code) == (502, 200)


def test_a_provider_at_a_socket(tmp_path: Path) -> None:
    """A model server on the same machine may listen in the file system, where no other machine can ask it."""
    path = tmp_path / "model.sock"
    place = socket.socket(socket.AF_UNIX)
    place.bind(str(path))
    place.listen()
    with (
        listening(place) as upstream,
        running(Start(configuration(f"http+unix://{quote(str(path), safe='')}/v1"))) as gateway,
    ):
        upstream.on("whole", answers.whole())
        upstream.on("streamed", answers.streamed())

        whole, stream = gateway.ask("box/whole"), streamed(gateway, "box/streamed")

        asked = upstream.received("whole")[0]
    assert (whole.status_code, stream.content) == (200, answers.STREAM)
    assert (asked.path, asked.headers["host"]) == ("/v1/chat/completions", "localhost")


def test_a_provider_that_speaks_http2(authority: trustme.CA, tmp_path: Path) -> None:
    """With `http2` it is spoken to so, whole and streamed, and what was sent is the same."""
    tls = trusting(authority, tmp_path)
    with (
        speaking_http2(serving_as(authority)) as (upstream, port),
        running(Start(configuration(f"https://localhost:{port}/v1", http2=True, tls=tls))) as gateway,
    ):
        upstream.body = answers.WHOLE
        whole = gateway.ask("box/m")
        upstream.body, upstream.media_type = answers.STREAM, "text/event-stream"
        stream = streamed(gateway, "box/m")

    assert (whole.content, stream.content) == (answers.WHOLE, answers.STREAM)
    assert [headers[b":path"] for headers in upstream.headers] == [b"/v1/chat/completions"] * 2
    assert msgspec.json.decode(upstream.bodies[0])["model"] == "m"


def test_warm_connections() -> None:
    """Connections are there before the first call, as many as were asked for."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(LIMIT_S)
        url = f"http://127.0.0.1:{place.getsockname()[1]}/v1"

        with running(Start({**configuration(url), "upstream": {"warm": 3}})):
            opened = [place.accept()[0] for _ in range(3)]

    for connection in opened:
        connection.close()
    assert len(opened) == 3

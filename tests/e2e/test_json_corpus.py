"""Hard JSON at the running gateway: as a body, and as a value inside a body that is good otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx2
import pytest

from tests.e2e.support.json_corpus import INVALID, OPEN, VALID
from tests.support.gateway import LOCAL, GatewayProcess

_MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
BODIES: Mapping[str, bytes] = {
    "/v1/chat/completions": b'{"model":"sim/echo",%b,"metadata":{"a":%%b}}' % _MESSAGES,
    "/v1/generate": b'{"model":"sim/echo","prompt":"hi","a":%b}',
    "/v1/messages": b'{"model":"sim/echo","max_tokens":9,%b,"a":%%b}' % _MESSAGES,
    "/v1/responses": b'{"model":"sim/echo","input":"hi","a":%b}',
    "/v1/embeddings": b'{"model":"sim/echo","input":"hi","a":%b}',
    "/v1/sessions": b'{"metadata":{"a":%b}}',
}
paths = pytest.mark.parametrize("path", BODIES)


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Send JSON."""
    headers = {"content-type": "application/json"}
    with httpx2.Client(base_url=gateway.url, **LOCAL, headers=headers) as client:
        yield client


def inside(client: httpx2.Client, path: str, values: Mapping[str, bytes]) -> dict[str, int]:
    """Return the status for each value inside a good body."""
    return {name: client.post(path, content=BODIES[path] % value).status_code for name, value in values.items()}


@paths
def test_bodies(client: httpx2.Client, path: str) -> None:
    """Whatever a body is, it is taken or refused, and a refusal is an error of the table."""
    for name, value in {**VALID, **INVALID, **OPEN}.items():
        answer = client.post(path, content=value)

        assert answer.status_code < 500, name
        assert answer.status_code == 200 or "error" in answer.json(), name


@paths
def test_values_that_are_invalid(client: httpx2.Client, path: str) -> None:
    """They are refused wherever they stand, also in fields that the gateway does not read itself."""
    statuses = inside(client, path, INVALID)

    assert {name: status for name, status in statuses.items() if status != 400} == {}


@paths
def test_values_that_parsers_may_differ_about(client: httpx2.Client, path: str) -> None:
    """They are taken or refused."""
    statuses = inside(client, path, OPEN)

    assert {name: status for name, status in statuses.items() if status not in {200, 400}} == {}


@paths
def test_values_that_are_valid(client: httpx2.Client, path: str) -> None:
    """None of them is mistaken for something else; the metadata of a session have a bound."""
    statuses = inside(client, path, VALID)

    refused = {name: status for name, status in statuses.items() if status != 200}
    assert refused == ({"long text": 400} if path == "/v1/sessions" else {})

"""Who may use which route: no route of the application is without an answer to that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry

from app.api.app import Api, Door
from app.api.roles import Role, role_of
from tests.api.support import Edge
from tests.api.test_cold_routes import no_lifespan
from tests.support.calls import FakeProvider, answers
from tests.support.virtual_time import VirtualClock

UNDESCRIBED = {"/openapi.json", "/docs", "/docs/{name}"}  # the description itself, and its readers


async def exposition(_accept: str) -> tuple[str, bytes]:
    """Return no metrics."""
    return "text/plain", b""


@pytest.fixture
def api() -> Api:
    """Return the application with all of its routes."""
    edge = Edge(FakeProvider(answers()), VirtualClock())
    return Api(edge.desk, Door("1.2.3", 0.0, CollectorRegistry(), exposition), no_lifespan)


def operations(api: Api) -> Iterator[tuple[str, str, list[dict[str, list[str]]]]]:
    """Yield path, method and security of every operation that is described."""
    for path, described in api.openapi()["paths"].items():
        for method, operation in described.items():
            if method != "parameters":
                yield path, method, operation["security"]


def test_every_route_is_described(api: Api) -> None:
    """No route of the application is missing in its description, so nobody who reads that forgets one."""
    routes = {path.replace(":path}", "}") for route in iter_route_contexts(api.routes) if (path := route.path)}

    assert routes - UNDESCRIBED <= set(api.openapi()["paths"])
    assert len(routes) > 40


def test_every_operation_declares_its_role(api: Api) -> None:
    """The description says of each who may use it, and of no administrative one that anybody may."""
    found = {(path, method): [name for each in security for name in each] for path, method, security in operations(api)}

    assert {path for (path, _), names in found.items() if names == []} == {
        *("/", "/livez", "/readyz", "/health", "/metrics"),
    }
    assert {path for (path, _), names in found.items() if names == ["admin"]} == {
        path for path, _ in found if path.startswith("/admin")
    }
    assert all(names in ([], ["key"], ["admin"]) for names in found.values())


def test_a_new_path_has_no_role_by_itself() -> None:
    """Whoever adds a route elsewhere has to decide who may use it."""
    assert role_of("/v1/anything") is Role.CALLER

    with pytest.raises(LookupError):
        role_of("/debug")

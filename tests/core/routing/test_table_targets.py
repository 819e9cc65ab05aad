"""How an operator names a target: `provider/model`, and nothing else."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.errors import UNKNOWN_MODEL, GatewayError
from app.core.routing.table import Route, RoutingTable

ROUTING = RoutingTable({"route": Route((Target("acme", "small"),))}, {"acme": ()})


@pytest.mark.parametrize("name", ["acme/deep/er", "acme:deep/er"])
def test_a_target_is_found_by_its_name(name: str) -> None:
    """A model's name may hold slashes."""
    assert Target("acme", "deep/er") == ROUTING.target(name)


def test_who_names_a_route_is_shown_its_targets() -> None:
    """Rather than told that there is no such model, and asked whether that one was meant."""
    with pytest.raises(GatewayError) as caught:
        ROUTING.target("route")

    assert (caught.value.message, caught.value.suggestion) == (
        "'route' is a route.",
        "Name one of its targets, as 'provider/model': acme/small.",
    )


@pytest.mark.parametrize("name", ["route", "nobody/model", "acme/", ""])
def test_a_route_is_no_target(name: str) -> None:
    """Nor is a model of an unknown provider."""
    with pytest.raises(GatewayError) as caught:
        ROUTING.target(name)

    assert UNKNOWN_MODEL is caught.value.kind

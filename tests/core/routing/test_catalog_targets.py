"""How an operator names a target: `provider/model`, and nothing else."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.errors import UNKNOWN_MODEL, GatewayError
from app.core.routing.catalog import Catalog, Route

CATALOG = Catalog({"route": Route((Target("acme", "small"),))}, {"acme": ()})


@pytest.mark.parametrize("name", ["acme/deep/er", "acme:deep/er"])
def test_a_target_is_found_by_its_name(name: str) -> None:
    """A model's name may hold slashes."""
    assert Target("acme", "deep/er") == CATALOG.target(name)


@pytest.mark.parametrize("name", ["route", "nobody/model", "acme/", ""])
def test_a_route_is_no_target(name: str) -> None:
    """Nor is a model of an unknown provider."""
    with pytest.raises(GatewayError) as caught:
        CATALOG.target(name)

    assert UNKNOWN_MODEL is caught.value.kind

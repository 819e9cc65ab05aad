"""
Roles of all routes: the table behind the `security` of every operation in `/openapi.json`.

The routes enforce it themselves. A test requests each of them without a key, as a caller and as an operator, and fails
for one that has no role or behaves as if it had another.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

ADMIN_PATH: Final = "/admin"
_CALLERS: Final = ("/v1/", "/pass/")
_ANYBODY: Final = frozenset({"/", "/livez", "/readyz", "/health", "/metrics", "/docs", "/docs/{name}", "/openapi.json"})
_SCHEMES: Final[Mapping[str, object]] = MappingProxyType(
    {
        "key": {"type": "http", "scheme": "bearer", "description": "A virtual key or a JWT, if `auth.required`."},
        "admin": {"type": "http", "scheme": "bearer", "description": "The value of `admin.token`."},
    }
)


class Role(StrEnum):
    """Who may use a route: everybody who reaches the port, callers with a key, or operators with the admin token."""

    ANYBODY = "anybody"
    CALLER = "key"
    OPERATOR = "admin"


def is_administrative(path: str) -> bool:
    """Return whether a path is `ADMIN_PATH` or below it."""
    return path == ADMIN_PATH or path.startswith(f"{ADMIN_PATH}/")


def is_inside(path: str) -> bool:
    """Return whether a path is for operators only: the admin API or the metrics."""
    return is_administrative(path) or path == "/metrics"


def role_of(path: str) -> Role:
    """
    Return who may use the route with this path or pattern.

    Raises:
        LookupError: The table has no role for it.
    """
    if path in _ANYBODY:
        return Role.ANYBODY
    if is_administrative(path):
        return Role.OPERATOR
    if path.startswith(_CALLERS):
        return Role.CALLER
    raise LookupError(path)


def with_roles(described: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI description of all routes with the role of each."""
    for path, operations in described["paths"].items():
        role = role_of(path)
        for operation in operations.values():
            if isinstance(operation, dict):  # else the path's shared `parameters`
                operation["security"] = [] if role is Role.ANYBODY else [{role.value: []}]
    described.setdefault("components", {})["securitySchemes"] = dict(_SCHEMES)
    return described

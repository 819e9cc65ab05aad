"""
Who may use which route: the table that `/openapi.json` shows as the `security` of every operation.

The routes enforce it; a test asks each of them as nobody, as a caller and as an operator, and fails for one that has no
role or behaves as if it had another.
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
    """Whoever may use a route: everybody who reaches the port, callers with a key, or operators with the token."""

    ANYBODY = "anybody"
    CALLER = "key"
    OPERATOR = "admin"


def is_administrative(path: str) -> bool:
    """Say whether a path is below `ADMIN_PATH`, and not one that only begins like it."""
    return path == ADMIN_PATH or path.startswith(f"{ADMIN_PATH}/")


def is_inside(path: str) -> bool:
    """Say whether a path is for operators alone: below `ADMIN_PATH`, or the metrics."""
    return is_administrative(path) or path == "/metrics"


def role_of(path: str) -> Role:
    """
    Return who may use the route with this path or pattern.

    Raises:
        LookupError: Nobody has decided that.
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
            if isinstance(operation, dict):  # else a list of parameters that all of them have
                operation["security"] = [] if role is Role.ANYBODY else [{role.value: []}]
    described.setdefault("components", {})["securitySchemes"] = dict(_SCHEMES)
    return described

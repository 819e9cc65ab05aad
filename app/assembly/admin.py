"""What the administration endpoints may see and do."""

from __future__ import annotations

import hashlib

from app.assembly.circuits import circuit_policy
from app.assembly.deps import Deps
from app.assembly.identity import key_office
from app.assembly.sessions import session_office
from app.config.schema import Settings
from app.core.gateway import AdminOptions


def admin_options(settings: Settings, deps: Deps) -> AdminOptions | None:
    """Return what the administration needs, or None where there is none, because it has no token."""
    token = settings.admin.token.get_secret_value().encode()
    if not token:
        return None
    digest = hashlib.sha256(token).digest()
    return AdminOptions(
        token_sha256=digest,
        circuits=deps.circuits,
        circuit_breaker=circuit_policy(settings),
        keys=key_office(settings, deps),
        sessions=session_office(settings, deps),
    )

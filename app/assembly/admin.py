"""What the administration endpoints may see and do."""

from __future__ import annotations

import hashlib

from app.assembly.circuits import circuit_policy
from app.assembly.deps import Deps
from app.assembly.spending import rules
from app.config.schema import Settings
from app.core.gateway import AdminOptions, Spending


def admin_options(settings: Settings, deps: Deps) -> AdminOptions | None:
    """Return what the administration needs, or None where there is none, because it has no token."""
    token = settings.admin.token.get_secret_value().encode()
    if not token:
        return None
    spending = Spending(rules(settings), deps.budgets, deps.usage, deps.clock)
    return AdminOptions(hashlib.sha256(token).digest(), deps.circuits, circuit_policy(settings), spending, deps.insight)

"""Assemble what the admin API can see and do."""

from __future__ import annotations

import hashlib

import msgspec

from app.assembly.caching import cache_desk
from app.assembly.circuits import circuit_policy
from app.assembly.deps import Deps
from app.assembly.identity import key_manager
from app.assembly.limits import gateway_rules
from app.assembly.sessions import session_manager
from app.assembly.spending import rules
from app.config.load import Loaded
from app.config.showing import redacted
from app.core.configuration import Shown
from app.core.gateway import AdminOptions, Limiting, Spending


def admin_options(loaded: Loaded, deps: Deps) -> AdminOptions | None:
    """Return the options of the admin API; None without an admin token, which switches it off."""
    settings = loaded.settings
    token = settings.admin.token.get_secret_value().encode()
    if not token:
        return None
    usage = deps.usage if deps.insight is None else deps.insight.usage
    return AdminOptions(
        token_sha256=hashlib.sha256(token).digest(),
        circuits=deps.circuits,
        circuit_breaker=circuit_policy(settings),
        spending=Spending(rules(settings), deps.budgets, usage, deps.clock),
        limiting=Limiting(gateway_rules(settings), deps.limits),
        shown=Shown(loaded.source, loaded.digest, msgspec.Raw(msgspec.json.encode(redacted(settings)))),
        keys=key_manager(settings, deps),
        sessions=session_manager(settings, deps),
        cache=cache_desk(settings, deps),
        insight=deps.insight,
        health=deps.health,
    )

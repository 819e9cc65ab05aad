"""How a process reaches the others that serve the same callers."""

from __future__ import annotations

import msgspec

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.state.link import Shared
from app.state.replicas import LinkedReplicas


def open_replicas(deps: Deps, settings: Settings, shared: Shared | None) -> Deps:  # noqa: ARG001 - of every opener
    """Let the replicas be reached through Redis; without it nobody can be."""
    if shared is None:
        return deps
    return msgspec.structs.replace(deps, replicas=LinkedReplicas(shared.link, shared.key_prefix))

"""Lists of models in Anthropic's format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def model_page(ids: Sequence[str], created_wall: float) -> dict[str, object]:
    """Return all models as one page."""
    page = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None, "has_more": False}
    return {"data": [model_shown(each, created_wall) for each in ids], **page}


def model_shown(model_id: str, created_wall: float) -> dict[str, str]:
    """Return one model."""
    created = datetime.fromtimestamp(created_wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": model_id, "display_name": model_id, "created_at": created, "lifecycle": "active"}

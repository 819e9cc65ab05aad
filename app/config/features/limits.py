"""Rate limits."""

from __future__ import annotations

from typing import TypeAlias

Limits: TypeAlias = tuple[dict[str, object], ...]

"""Virtual keys."""

from __future__ import annotations

from typing import TypeAlias

Keys: TypeAlias = tuple[dict[str, object], ...]

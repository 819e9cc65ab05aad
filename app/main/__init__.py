"""The root of a serving process: creates, opens and closes everything that lives as long as the process."""

from __future__ import annotations

from app.main.service import Service

__all__ = ["Service"]

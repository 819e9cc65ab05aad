"""The root of a process: what lives as long as it does is made, opened and closed here."""

from __future__ import annotations

from app.main.service import Service

__all__ = ["Service"]

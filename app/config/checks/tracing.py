"""Tracing that could not export anything."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from app.config.checks.complaint import Complaint, Names
from app.config.schema import Settings
from app.config.trees import Loc

_GRPC: Final = "grpc"


def exporter(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find a protocol whose library is not installed."""
    tracing = settings.tracing
    if tracing.enabled and tracing.protocol == _GRPC and find_spec(_GRPC) is None:
        advice = (
            "install it (pip install 'wizard-gateway[otlp-grpc]'), or use OTLP over HTTP, which every collector takes"
        )
        yield ("tracing", "protocol"), Complaint("'grpc'", "http, as the extra otlp-grpc is not installed", advice)

"""Trace the cold routes. Imported only if tracing is enabled."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import TracerProvider

_UNTRACED: Final = r"/(livez|readyz|health|metrics)$"  # polled every few seconds by probes and scrapers


def instrument(app: FastAPI, provider: TracerProvider) -> None:
    """Instrument the cold routes of `app`; call it before the first request. Hot routes have spans of their own."""
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls=_UNTRACED, exclude_spans=["receive", "send"]
    )

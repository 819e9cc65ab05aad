"""Spans of the routes that are not calls. Imported only where tracing is on."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import TracerProvider

_UNTRACED: Final = r"/(livez|readyz|health|metrics)$"  # what probes and scrapers ask every few seconds


def instrument(app: FastAPI, provider: TracerProvider) -> None:
    """Let the routes of `app` make spans; before its first request. Calls do not pass here: they have their own."""
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls=_UNTRACED, exclude_spans=["receive", "send"]
    )

"""The scripted provider: answers, latency and faults on demand, as real bytes of OpenAI's API. See docs/sim.md."""

from __future__ import annotations

from app.providers.sim.script import SIM_MODELS
from app.providers.sim.upstream import SimUpstream

__all__ = ["SIM_MODELS", "SimUpstream"]

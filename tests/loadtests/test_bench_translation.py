"""The benchmark of translation measures what it says it does."""

from __future__ import annotations

from app.providers.registry import CODECS
from loadtests.translation import measure


def test_every_dialect_is_measured_in_both_directions() -> None:
    """Each dialect that translates has a row for requests and one for events, and each took some time."""
    costs = {cost.what: cost.us for cost in measure(1)}

    translating = CODECS.keys() - {"openai", "azure", "azure-responses", "vertex"}  # which are others' twins
    for name in translating:
        assert costs[f"chat to {name}, request"] > 0
        assert costs[f"{name} to chat, event"] > 0
    for name in ("messages", "responses"):
        assert costs[f"{name} to chat, request"] > 0
        assert costs[f"chat to {name}, event"] > 0

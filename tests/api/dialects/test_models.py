"""Models in Anthropic's form."""

from __future__ import annotations

from app.api.dialects.anthropic.models import model_page, model_shown


def test_no_models_are_an_empty_page() -> None:
    """Where nothing can be called there is no first and no last."""
    told = model_page([], 1_800_000_000.5)

    assert told == {"data": [], "first_id": None, "last_id": None, "has_more": False}


def test_times_are_rfc_3339() -> None:
    """Seconds become a date, fractions left out."""
    told = model_shown("a/b", 1_800_000_000.5)

    assert told == {
        "type": "model",
        "id": "a/b",
        "display_name": "a/b",
        "created_at": "2027-01-15T08:00:00Z",
        "lifecycle": "active",
    }

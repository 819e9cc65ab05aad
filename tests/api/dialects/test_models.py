"""Models in Anthropic's form."""

from __future__ import annotations

import json

from app.api.dialects.anthropic.models import in_anthropics_form


def test_no_models_are_an_empty_page() -> None:
    """Where nothing can be called there is no first and no last."""
    told = json.loads(in_anthropics_form(b'{"object":"list","data":[]}'))

    assert told == {"data": [], "first_id": None, "last_id": None, "has_more": False}


def test_times_are_rfc_3339() -> None:
    """Seconds become a date; what else OpenAI's form says is left out."""
    told = json.loads(in_anthropics_form(b'{"id":"a/b","object":"model","created":1800000000,"owned_by":"a","x":1}'))

    assert told == {
        "type": "model",
        "id": "a/b",
        "display_name": "a/b",
        "created_at": "2027-01-15T08:00:00Z",
        "lifecycle": "active",
    }

"""Servers that speak OpenAI's dialect with a difference: what the gateway changes of a body, preset by preset."""

from __future__ import annotations

import msgspec
import pytest

from app.config.presets import PRESETS
from app.core.call import Target
from app.providers.canonical.stamps import Mint
from app.providers.openai.quirks import Quirks
from app.providers.registry import CODECS, Build
from tests.providers.conformance.corpus import request

WORTH: dict[str, object] = {"stream_options": {"include_usage": True}, "user": "u"}  # what the edge would not take as 7
DIFFERENT = sorted(name for name, preset in PRESETS.items() if preset.rename or preset.drop)


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_preset_changes_what_is_told(name: str) -> None:
    """Fields go out under the name that the server knows, those that it refuses are left out and named."""
    preset = PRESETS[name]
    given = {field: WORTH.get(field, 7) for field in (*preset.rename, *preset.drop)}
    codec = CODECS["openai"](
        Build(Mint(lambda: 0.0, lambda: 0.0), quirks=Quirks(preset.rename, preset.drop, preset.takes))
    )

    found = codec.encode(request("text", **given), Target("p", "m"))

    body = msgspec.json.decode(found.body)
    plain = msgspec.json.decode(request("text").raw)
    renamed = {preset.rename[field]: given[field] for field in given if field in preset.rename}
    assert body == {**plain, **renamed}
    assert set(found.dropped) == set(preset.drop)

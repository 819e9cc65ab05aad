"""What is read of the counts of a provider."""

from __future__ import annotations

import msgspec
import pytest

from app.core.usage import Usage


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"{}", (0, 0, 0)),
        (b'{"prompt_tokens_details":{"cache_write_tokens":2}}', (0, 2, 0)),
        (b'{"prompt_tokens_details":null,"completion_tokens_details":null}', (0, 0, 0)),
        (b'{"prompt_tokens_details":{},"completion_tokens_details":{}}', (0, 0, 0)),
        (
            b'{"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}',
            (5, 0, 3),
        ),
    ],
)
def test_details(raw: bytes, found: tuple[int, int, int]) -> None:
    """Details that a provider does not give count as none."""
    usage = msgspec.json.decode(raw, type=Usage)

    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == found

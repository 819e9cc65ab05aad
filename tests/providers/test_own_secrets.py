"""The gateway's own credentials in the words of a provider."""

from __future__ import annotations

import pytest

from app.providers.own_secrets import OwnSecrets

HEADERS = (
    ("content-type", "application/json"),
    ("Authorization", "Bearer sk-of-the-gateway"),
    ("x-account", "account-4711"),
    ("x-mode", "fast"),
)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Incorrect key sk-of-the-gateway.", "Incorrect key ***."),
        ("Bearer sk-of-the-gateway was sent", "*** was sent"),
        ("sk-of-the-gateway-2 and sk-of-the-gateway", "*** and ***"),
        ("account-4711 may not", "*** may not"),
        ("application/json is fast", "application/json is fast"),
    ],
    ids=["key", "with its scheme", "the longer first", "another header", "nothing secret"],
)
def test_they_are_hidden(words: str, shown: str) -> None:
    """Keys and headers that may carry one are hidden; types, and what is too short to be a secret, are not."""
    secrets = OwnSecrets(HEADERS, ["sk-of-the-gateway-2"])

    assert secrets.hidden(words) == shown

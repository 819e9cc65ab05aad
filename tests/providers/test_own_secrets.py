"""The gateway's own credentials in the words of a provider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.own_secrets import Blotter, OwnSecrets

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


SECRETS = (b"aabaab", b"aab", b"bca")


@given(st.lists(st.text("abc", max_size=9).map(str.encode), max_size=8))
def test_pieces_are_blotted_as_the_whole_is(pieces: list[bytes]) -> None:
    """However an answer is cut, no secret is in what is shown, and everything else is where it was."""
    whole, cut = Blotter(SECRETS), Blotter(SECRETS)
    body = b"".join(pieces)

    at_once = whole.feed(body) + whole.end()
    shown = b"".join([*map(cut.feed, pieces), cut.end()])

    assert len(at_once) == len(shown) == len(body)
    assert not any(secret in text for secret in SECRETS for text in (at_once, shown))
    assert all(after in (before, ord("*")) for before, after in zip(body, shown, strict=True))
    assert body == shown or any(secret in body for secret in SECRETS)


def test_what_cannot_be_a_secret_is_shown_at_once() -> None:
    """Only as much waits as may be the beginning of one."""
    blotter = OwnSecrets(HEADERS).blotter()

    shown = [blotter.feed(piece) for piece in (b"data: sk-of-th", b"e-others\n", b"sk-of-the-gateway!")]

    assert shown == [b"data: ", b"sk-of-the-others\n", b"*****************!"]
    assert blotter.end() == b""

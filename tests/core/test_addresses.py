"""Addresses that callers write for providers."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.addresses import CREDENTIALS, asked_in, behind, checked, without
from app.core.errors import INVALID_REQUEST, GatewayError

PIECES = st.sampled_from(
    [
        "/",
        "a",
        "..",
        ".",
        "%2e",
        "%2E",
        "%252e",
        "%2f",
        "%5c",
        "%",
        "\\",
        "//",
        ":",
        "@",
        "?",
        "#",
        "%00",
        "x:y",
        "é",
        " ",
    ]
)


@pytest.mark.parametrize(
    "path", ["/a", "/a/b/", "/models/x:generate", "/a.b/..c/d..", "/arn%3Aaws%3Ax%2Fy", "/a@b", "/" + "a" * 2000]
)
def test_what_stays_below_is_taken(path: str) -> None:
    """Ordinary addresses pass as they are written."""
    assert checked(path, "") == path


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "/", "//a", "/a//b", "/./a", "/a/..", "/a/../", "/%2e%2e/a", "/a/%2E./b", "/a%2f..%2fb", "/a%2F%2Fb",
        "/%252e%252e/a", "/%25252e%25252e/a", "/a%5cb", "/a\\b", "/a%00", "/a%0d%0ab", "/a b", "/é", "/a?b", "/a#b",
        "/%zz", "/%2525252e", "/" + "a" * 2048,
    ],
)  # fmt: skip
def test_what_might_lead_elsewhere_is_refused(path: str) -> None:
    """Steps upwards, empty steps, controls and escapes of escapes are no part of an address."""
    with pytest.raises(GatewayError) as caught:
        checked(path, "")

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, "path")


@given(st.lists(PIECES, max_size=12).map("".join))
def test_nothing_that_is_taken_leaves(path: str) -> None:
    """However often somebody on the way unquotes a path, no step of it goes up and no host is in it."""
    try:
        taken = checked(f"/{path}", "")
    except GatewayError:
        return
    for _ in range(4):
        assert not {"", ".", ".."} & set(taken.removesuffix("/").split("/")[1:])
        assert not {"\\", "\0"} & set(taken)
        taken = unquote(taken)


@pytest.mark.parametrize("query", ["a=é", "a=%z", "a=b c", "a=b#c", "x" * 5000])
def test_a_query_that_is_none(query: str) -> None:
    """A query has the characters of one, and a bound."""
    with pytest.raises(GatewayError) as caught:
        checked("/a", query)

    assert caught.value.param == "query"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", "/a"), ("a=1&b[]=2", "/a?a=1&b[]=2"), ("key=x", "/a"), ("a=1&KEY=x&b", "/a?a=1&b"),
        ("%6bey=x&api%5Fkey=y&api-key=z", "/a"), ("&&a=1&", "/a?a=1"), ("keys=1", "/a?keys=1"), ("+key=x", "/a"),
    ],
)  # fmt: skip
def test_credentials_are_left_out(query: str, kept: str) -> None:
    """What providers take keys by is no part of what is sent on, however it is written."""
    assert checked("/a", query) == kept


def test_other_parameters_can_be_left_out() -> None:
    """Whoever reads a parameter takes it out."""
    assert without("provider=x&limit=2", frozenset({"provider"})) == "limit=2"
    assert "key" in CREDENTIALS


@pytest.mark.parametrize(
    ("base", "path", "rest"),
    [
        ("/v1", "/v1/models", "/models"), ("/v1", "/models", "/models"), ("/v1/", "/v1/v1/x", "/v1/x"),
        ("", "/v1/x", "/v1/x"), ("/v1", "/v1beta/x", "/v1beta/x"), ("/", "/x", "/x"), ("/v1", "/v1", "/v1"),
    ],
)  # fmt: skip
def test_a_repeated_base_is_not_doubled(base: str, path: str, rest: str) -> None:
    """Clients that were given a host repeat the path of the provider's own address."""
    assert behind(base, path) == rest


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/x", b'{"model":"m","stream":true}', ("m", True)), ("/x", b'{"stream":null}', ("*", False)),
        ("/x", b"", ("*", False)),
        ("/models/gemini-x:stream?y", b"{}", ("gemini-x", False)), ("/deployments/a%20b/x", b"", ("a b", False)),
        ("/model/a/converse", b"[]", ("a", False)), ("/x", b'{"model":1}', ("*", False)), ("/x", b"\xff", ("*", False)),
        ("/x", b'{"a":' + b"[" * 5000, ("*", False)),
    ],
)  # fmt: skip
def test_what_is_asked_for(path: str, body: bytes, asked: tuple[str, bool]) -> None:
    """The model is the body's, else the address's, else none in particular."""
    assert asked_in(path, body) == asked

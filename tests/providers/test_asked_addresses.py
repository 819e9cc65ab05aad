"""Nothing that a caller sends has a say in which host a provider's codec has asked."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import GatewayError
from app.providers.canonical.stamps import Mint
from app.providers.endpoint import encoded_for
from app.providers.registry import CODECS, Build, make_codec
from tests.support.calls import chat_request

BASE = "https://provider.internal:8443/base"
HOSTILE = (
    "..",
    ".",
    "@evil.example/",
    ".evil.example",
    "//evil.example/",
    "../..",
    "\\\\evil.example",
    "x?y#z",
    ":1@evil.example",
)


@pytest.mark.parametrize(
    ("dialect", "version"), [*((dialect, None) for dialect in CODECS), ("azure", "2024-10-21")], ids=str
)
@given(
    model=st.text(min_size=1) | st.sampled_from(HOSTILE),
    said=st.text() | st.sampled_from(HOSTILE),
    tail=st.just("") | st.text(),
)
def test_the_host_is_the_operators(dialect: str, version: str | None, model: str, said: str, tail: str) -> None:
    """Whatever model is asked for and whatever is said, the address is below the base that the operator chose."""
    codec = make_codec(CODECS[dialect], Build(mint=Mint(lambda: 0.0, lambda: 0.5), api_version=version))
    asking = {"base_url": said, "url": said}
    body = {**asking, "model": "m", "messages": [{"role": "user", "content": said}], "user": tail}
    try:
        path = encoded_for(codec, chat_request(json.dumps(body).encode()), Target("acme", model + tail)).path
    except GatewayError:
        return

    asked = urlsplit(BASE + path)

    assert (asked.scheme, asked.netloc) == ("https", "provider.internal:8443")
    assert asked.path.startswith("/base/")
    assert not {".", ".."} & set(asked.path.split("/"))

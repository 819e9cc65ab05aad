"""What the canonical model keeps of a request."""

from __future__ import annotations

import pytest

from app.core.call import Target
from tests.support.calls import asking, chat_request


@pytest.mark.parametrize(("asked", "streamed"), [(True, True), (False, False), (None, False)])
def test_only_a_true_stream_field_asks_for_a_stream(asked: bool | None, streamed: bool) -> None:
    """A request is for a whole answer unless `stream` is true; null means the same as absent."""
    assert asking(stream=asked).stream is streamed


def test_a_request_keeps_what_it_does_not_know() -> None:
    """Fields and values unheard of are neither refused nor lost: the body is kept as it came."""
    raw = b'{"model":"fast","messages":[{"role":"user","content":"hi","mood":1}],"tool_choice":{"new":[1]},"x":null}'

    request = chat_request(raw)

    assert request.model == "fast"
    assert bytes(request.fields.tool_choice) == b'{"new":[1]}'
    assert request.raw == raw


def test_a_target_is_named_as_users_address_it() -> None:
    """A target's name is the provider, a slash and the model, slashes of its own included."""
    assert Target("router", "meta/llama:70b").name == "router/meta/llama:70b"

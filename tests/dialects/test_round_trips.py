"""
Requests that go through a dialect and come back: nothing is lost that the dialect can carry.

The codec behind the gateway writes what the dialect in front of it reads, so that one is the other's inverse.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.dialects.anthropic.request import messages_request
from app.api.dialects.responses.request import responses_request
from app.core.call import Target
from app.core.model import ChatRequest
from app.providers.anthropic.codec import AnthropicCodec
from app.providers.canonical.stamps import Mint
from app.providers.openai.codec import OpenAiCodec
from app.providers.responses.codec import ResponsesCodec
from tests.dialects.talking import (
    CHOICES,
    ENCRYPTED,
    FORM,
    MARK,
    OFFERS,
    SIGNED,
    WORD,
    Can,
    Json,
    optional,
    request,
    talks,
    tools,
)

MINT = Mint(wall=lambda: 0.0, chance=lambda: 0.5)


def told(found: ChatRequest) -> Json:
    """Return a body without what only the transport needs."""
    body: Json = json.loads(found.raw)
    del body["model"]
    body.pop("stream_options", None)
    return body


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    talks(SIGNED, MARK, Can(errors=True)),
    st.fixed_dictionaries({"max_tokens": st.integers(2000, 9000)}),
    optional(temperature=st.sampled_from([0.0, 0.5, 1.0]), top_k=st.integers(1, 9), stop=st.lists(WORD, min_size=1)),
    optional(user=WORD, response_format=FORM, service_tier=st.sampled_from(["auto", "default"])),
    st.none() | st.tuples(tools(MARK, st.just({"strict": True}) | st.just({})), CHOICES, OFFERS),
)
def test_messages(talk: list[Json], bound: Json, knobs: Json, more: Json, offer: tuple[Any, ...] | None) -> None:
    """Conversation, tools, reasoning, marks and knobs come back from Anthropic's form as they went in."""
    body = {"messages": talk, **bound, **knobs, **more}
    if offer is not None:
        body.update({"tools": offer[0], "tool_choice": offer[1], **(offer[2] if offer[1] != "none" else {})})

    encoded = AnthropicCodec(MINT).encode(request(body), Target("a", "claude-sonnet-4-5"))
    back = told(messages_request(encoded.body))

    assert back == body
    assert encoded.dropped == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    talks(ENCRYPTED, st.just({})),
    optional(max_completion_tokens=st.integers(1, 99), temperature=st.sampled_from([0.0, 0.5]), top_p=st.just(0.5)),
    optional(user=WORD, response_format=FORM, verbosity=st.just("low"), prompt_cache_key=WORD),
    st.none() | st.tuples(tools(st.just({}), st.booleans().map(lambda it: {"strict": it})), CHOICES, OFFERS),
)
def test_responses(talk: list[Json], knobs: Json, more: Json, offer: tuple[Any, ...] | None) -> None:
    """Conversation, tools, reasoning and knobs come back from the Responses API's form as they went in."""
    body = {"messages": talk, **knobs, **more}
    if offer is not None:
        body.update({"tools": offer[0], "tool_choice": offer[1], **offer[2]})

    encoded = ResponsesCodec(MINT, OpenAiCodec()).encode(request(body), Target("o", "gpt-5"))
    back = told(responses_request(encoded.body))

    assert back == body
    assert encoded.dropped == ()

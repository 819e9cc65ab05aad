"""What the edge reads of a request before it is a call: its body and its headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.asgi import ClientGoneError, Message, read_body
from app.api.dialects.chat import ChatDialect
from app.api.dialects.generate import read_generate
from app.api.inbound import is_foreign_page
from app.api.request_options import RequestOptions, merged, request_options_of
from app.core.call import Call, CallOptions
from app.core.errors import GatewayError
from app.core.gateway import EdgeOptions
from tests.api.support import BODY, JSON, Edge, Server
from tests.support.calls import FakeProvider, answers
from tests.support.virtual_time import VirtualClock

MAX_BYTES = 100


def piece(body: bytes, *, more: bool) -> Message:
    """Return a piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def asks(**options: Any) -> RequestOptions:  # noqa: ANN401 - whatever `CallOptions` takes
    """Return wishes with these options."""
    return RequestOptions(options=CallOptions(**options))


async def body_of(messages: list[Message], declared: bytes | None = None) -> bytes:
    """Read a body that comes in these messages."""

    async def receive() -> Message:
        return messages.pop(0)

    return await read_body(receive, {} if declared is None else {b"content-length": declared}, MAX_BYTES)


def refusals(raw: bytes) -> set[str]:
    """Decode a body in both forms and return the codes of what is raised; everything but a refusal passes through."""
    codes = set()
    for read in (lambda: ChatDialect().read(raw, {}), lambda: read_generate(raw)):
        try:
            read()
        except GatewayError as error:
            codes.add(error.kind.code)
    return codes


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
async def test_body_is_put_together(pieces: list[bytes]) -> None:
    """However a body was cut, empty pieces included, it is the same body."""
    messages = [piece(data, more=index < len(pieces) - 1) for index, data in enumerate(pieces)]

    assert await body_of(messages) == b"".join(pieces)


@pytest.mark.parametrize("sizes", [(101,), (50, 51), (100, 1), (0, 101), (60, 60, 60)])
async def test_body_that_grows_too_large_is_refused_at_once(sizes: tuple[int, ...]) -> None:
    """The first piece beyond the bound ends the reading, whatever would still come."""
    messages = [piece(b"x" * size, more=True) for size in sizes]

    with pytest.raises(GatewayError) as raised:
        await body_of(messages)

    assert raised.value.kind.code == "body_too_large"


@pytest.mark.parametrize("declared", [b"101", b"99999999999999999999"])
async def test_declared_body_that_is_too_large_is_not_read(declared: bytes) -> None:
    """A declared length beyond the bound is enough."""
    messages = [piece(b"", more=True)]

    with pytest.raises(GatewayError):
        await body_of(messages, declared)

    assert len(messages) == 1


@pytest.mark.parametrize("declared", [b"100", b"0", b"", b"-1", b"1e9", b"\xb2"])
async def test_other_declarations_are_left_to_the_count(declared: bytes) -> None:
    """A length within the bound, or none that is a number, does not decide anything."""
    assert await body_of([piece(b"x" * 100, more=False)], declared) == b"x" * 100


async def test_client_that_leaves_in_mid_body() -> None:
    """A body whose client leaves is no body, also if what came would be one."""
    with pytest.raises(ClientGoneError):
        await body_of([piece(BODY, more=True), {"type": "http.disconnect"}])


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
async def test_any_bytes_are_a_request_or_a_refusal(raw: bytes) -> None:
    """Decoding raises nothing but errors of the table."""
    assert refusals(raw) <= {"invalid_json", "invalid_request", "session_not_found"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "stream", "tools", "prompt", "options", "temperature", "stop", "system"]),
        json_values
        | st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "type"]), json_values)),
    )
)
async def test_any_json_is_a_request_or_a_refusal(body: dict[str, object]) -> None:
    """Wrong types in any place raise errors of the table."""
    raw = msgspec.json.encode(body)
    assert refusals(raw) <= {"invalid_request", "session_not_found"}


@pytest.mark.parametrize(
    ("headers", "allowed_s"),
    [
        ({}, 300.0),
        ({"x-wizard-timeout-ms": "1500"}, 1.5),
        ({"x-wizard-timeout-ms": "600000"}, 300.0),
        ({"x-wizard-timeout-ms": "999999999"}, 300.0),
    ],
)
async def test_caller_may_only_lower_the_time(
    clock: VirtualClock, headers: Mapping[str, str], allowed_s: float
) -> None:
    """A shorter time of the caller holds, a longer one does not."""
    provider = FakeProvider(answers())
    edge = Edge(provider, clock, EdgeOptions(body_max_bytes=1000, total_s=300.0, keep_alive_s=15.0))

    await edge.serve(Server(headers={**JSON, **headers}))

    (call,) = provider.asked
    assert isinstance(call, Call)
    assert (call.started, call.deadline) == (clock.now(), clock.now() + allowed_s)


@pytest.mark.parametrize("session", [b"s", b"a" * 256, b"user:17/conversation#3"])
def test_a_session_has_a_name(session: bytes) -> None:
    """Any short printable name is taken as it is, and reaches the stages."""
    wanted = request_options_of({b"x-wizard-session": session})

    assert wanted.options.session == session.decode()
    assert merged(wanted, asks(retry=False)).options.session == session.decode()
    assert request_options_of({}).options.session is None


@pytest.mark.parametrize("session", [b"", b"two words", b"a" * 257, b"\xe9", b"a\tb"])
def test_a_session_that_is_no_name_is_refused(session: bytes) -> None:
    """What could not be told apart or shown is refused, and the header is named."""
    with pytest.raises(GatewayError) as raised:
        request_options_of({b"x-wizard-session": session})

    assert (raised.value.kind.code, raised.value.param) == ("invalid_request", "x-wizard-session")


@pytest.mark.parametrize(
    ("headers", "body", "both"),
    [
        (RequestOptions(timeout_s=2.0), RequestOptions(timeout_s=1.0), RequestOptions(timeout_s=1.0)),
        (RequestOptions(timeout_s=1.0), asks(max_attempts=2), RequestOptions(1.0, CallOptions(max_attempts=2))),
        (asks(max_attempts=1), asks(max_attempts=5), asks(max_attempts=1)),
        (asks(fallback=False), asks(retry=False), asks(fallback=False, retry=False)),
        (asks(caching=False), asks(cache_ttl_s=5), asks(caching=False, cache_ttl_s=5)),
        (RequestOptions(), RequestOptions(), RequestOptions()),
    ],
)
def test_headers_and_body_together(headers: RequestOptions, body: RequestOptions, both: RequestOptions) -> None:
    """Of two wishes the narrower one wins, wherever it was made."""
    assert merged(headers, body) == both
    assert merged(body, headers) == both


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b"no-cache", {"no-cache": None}),
        (b"No-Store, max-age=60", {"no-store": None, "max-age": 60}),
        (b'max-age="5" , only-if-cached', {"max-age": 5, "only-if-cached": None}),
        (b"max-age, max-age=x, private, no-cache=1, \xff", {}),
    ],
)
def test_cache_control(given: bytes, found: dict[str, int | None]) -> None:
    """The four directives that a cache of answers knows are read; all others are left out, whatever they are."""
    assert request_options_of({b"cache-control": given}).options.directives == found


def test_tags() -> None:
    """Tags are words joined by commas; what is none is refused, and the header is named."""
    assert request_options_of({b"x-wizard-tags": b"team=red, nightly"}).options.tags == ("team=red", "nightly")
    for bad in (b"", b"a,,b", b"two words", b",".join([b"t"] * 17)):
        with pytest.raises(GatewayError) as raised:
            request_options_of({b"x-wizard-tags": bad})
        assert raised.value.param == "x-wizard-tags"


def test_an_idempotency_key_is_short_and_visible() -> None:
    """A key that could not be told apart or shown is refused."""
    assert request_options_of({b"idempotency-key": b"k-1"}).options.idempotency_key == "k-1"
    with pytest.raises(GatewayError) as raised:
        request_options_of({b"idempotency-key": b"x" * 256})
    assert raised.value.param == "idempotency-key"


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (b"http://gateway:8080", False),
        (b"https://gateway:8080", False),
        (b"http://gateway", True),
        (b"http://gateway:8080.evil.example", True),
        (b"null", True),
        (b"", True),
        (b"http://[gateway:8080", True),
        (b"http://gateway]:8080", True),
        (b"\xff//\xfe", True),
    ],
)
def test_a_page_is_foreign_unless_it_is_from_here(origin: bytes, foreign: bool) -> None:
    """Whatever an origin looks like, only the gateway's own address counts, and nothing else is looked for in it."""
    assert is_foreign_page({b"origin": origin, b"host": b"gateway:8080"}) is foreign
    assert is_foreign_page({b"origin": origin, b"host": b"gateway:8080", b"authorization": b"Bearer k"}) is False

"""Requests that are passed on to a provider as they are, through the running gateway: `/pass/{provider}/*`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from tests.e2e.conftest import PROVIDER_KEY, openai_client
from tests.e2e.support.answers import refused, streamed, whole
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

ALL, OTHER, ONE_MODEL = "wz-of-all", "wz-of-another-provider", "wz-of-one-model"
HUMBLE = "wz-of-one-role"
CHAT = b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'
SSE = {"accept": "text/event-stream"}


def key(name: str, token: str, *models: str) -> dict[str, Any]:
    """Return the entry of a key."""
    return {"name": name, "hash": f"sha256:{hashlib.sha256(token.encode()).hexdigest()}", "models": list(models)}


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that passes requests on to two of its providers."""
    config = {
        "server": {"body_max_bytes": 100_000, "upload_max_bytes": 5_000_000},
        "auth": {"required": True},
        "keys": [
            key("all", ALL, "*"),
            {**key("humble", HUMBLE, "*"), "roles": ["user"]},
            key("other", OTHER, "closed/*"),
            key("one", ONE_MODEL, "box/gpt-5", "fast"),
        ],
        "providers": {
            "box": {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY},
            "claude": {"kind": "anthropic", "base_url": upstream.url, "api_key": PROVIDER_KEY},
            "closed": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
            "quoting": {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY},
            "quoting-too": {"kind": "anthropic", "base_url": upstream.url, "api_key": PROVIDER_KEY},
            "hidden": {"kind": "openai", "base_url": upstream.url},
        },
        "prices": {"box/priced": {"input": 1.0, "output": 2.0}},
        "limits": [{"name": "few", "per": "key", "requests": 1, "window_s": 3600, "models": ["box/limited"]}],
        "passthrough": {"enabled": True, "providers": ["box", "claude", "closed", "quoting", "quoting-too"]},
        "circuit_breaker": {"failure_threshold": 2, "open_s": 3600},
    }
    with running(Start(config)) as process:
        yield process


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to the gateway with a key that may use everything."""
    headers = {"authorization": f"Bearer {ALL}"}
    with httpx2.Client(base_url=gateway.url, **LOCAL, headers=headers) as client:
        yield client


def code(reply: httpx2.Response) -> str:
    """Return the code of a refusal."""
    return str(reply.json()["error"]["code"])


def test_a_request_reaches_the_provider_as_it_is_but_for_its_key(http: httpx2.Client, upstream: Upstream) -> None:
    """Path, query, body and the allowed headers arrive; the caller's credentials, cookies and other headers do not."""
    upstream.on("m", whole(b'{ "odd" : 1.50 }'))
    body = b'{ "model":"m", "future": 1e2 }'
    sent = {"content-type": "application/json", "openai-beta": "x=1", "cookie": "a=b", "openai-organization": "org"}

    reply = http.post("/pass/box/odd/things?deep=1&key=mine&api%5Fkey=mine", content=body, headers=sent)

    received = upstream.received("m")[0]
    assert (reply.status_code, reply.content) == (200, b'{ "odd" : 1.50 }')
    assert (received.line, received.body) == ("POST /v1/odd/things?deep=1 HTTP/1.1", body)
    assert received.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert received.headers["openai-beta"] == "x=1"
    assert not {"cookie", "openai-organization", "x-api-key"} & received.headers.keys()


def test_only_allowed_headers_come_back(http: httpx2.Client, upstream: Upstream) -> None:
    """An answer keeps its type and what describes its body; cookies, request ids and limits stay behind."""
    secret = ("set-cookie: a=b", "x-request-id: theirs", "x-ratelimit-limit-requests: 5", "location: http://elsewhere")
    upstream.on("", lambda exchange: exchange.answer(b"%PDF", headers=("etag: x", *secret), media_type="text/plain"))

    reply = http.get("/pass/box/a.pdf")

    assert (reply.content, reply.headers["etag"], reply.headers["content-type"]) == (b"%PDF", "x", "text/plain")
    assert reply.headers["x-wizard-provider"] == "box"
    assert reply.headers["x-request-id"].startswith("req_")
    assert not {"set-cookie", "location", "x-ratelimit-limit-requests"} & reply.headers.keys()


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500])
@pytest.mark.parametrize("path", ["quoting/echo", "quoting-too/echo"])
def test_the_key_of_the_gateway_comes_back_with_no_status(
    http: httpx2.Client, upstream: Upstream, path: str, status: int
) -> None:
    """A provider that quotes what it was sent quotes it to the gateway alone, whether it refuses the request or not."""
    said = b'{"error":{"message":"you sent %b"},"message":"%b"}' % (PROVIDER_KEY.encode(), PROVIDER_KEY.encode())
    upstream.on("", lambda exchange: exchange.answer(said, status, (f"etag: {PROVIDER_KEY}",)))

    reply = http.get(f"/pass/{path}", headers={"x-wizard-retries": "0"})

    assert "circuit_open" not in reply.text
    assert PROVIDER_KEY not in reply.text
    assert not any(PROVIDER_KEY in value for value in reply.headers.values())
    if status == 200:
        assert reply.content == said.replace(PROVIDER_KEY.encode(), b"*" * len(PROVIDER_KEY))


def test_the_key_of_the_gateway_comes_back_in_no_stream(http: httpx2.Client, upstream: Upstream) -> None:
    """Not in pieces either, and the rest of the stream comes as it is."""
    first, second = PROVIDER_KEY[:4].encode(), PROVIDER_KEY[4:].encode()

    def echo(exchange: Exchange) -> None:
        exchange.begin()
        for piece in (b"data: " + first, second + b" and ", first + b"\n\n"):
            exchange.part(piece)
        exchange.end()

    upstream.on("", echo)

    reply = http.get("/pass/box/events", headers=SSE)

    assert reply.text == f"data: {'*' * len(PROVIDER_KEY)} and {PROVIDER_KEY[:4]}\n\n"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_any_method(http: httpx2.Client, upstream: Upstream, method: str) -> None:
    """The method is the caller's."""
    upstream.on("", whole(b"{}"))

    reply = http.request(method, "/pass/box/things/1")

    assert reply.status_code == 200
    assert upstream.received("")[0].line == f"{method} /v1/things/1 HTTP/1.1"


def test_head_has_no_body(http: httpx2.Client, upstream: Upstream) -> None:
    """The answer to a HEAD tells the length of what it does not bring."""

    def play(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
        exchange.finish()

    upstream.on("", play)

    reply = http.head("/pass/box/thing")

    assert (reply.status_code, reply.headers["content-length"], reply.content) == (200, "7", b"")


@pytest.mark.parametrize("base", ["/pass/box", "/pass/box/v1"])
def test_the_official_sdk_by_base_url(gateway: GatewayProcess, upstream: Upstream, base: str) -> None:
    """OpenAI's SDK works with the address here in place of the provider's own, with or without its path."""
    upstream.on("gpt-5", whole(b'{"id":"1","object":"chat.completion","created":1,"model":"gpt-5","choices":[]}'))

    with openai_client(f"{gateway.url}{base}").with_options(api_key=ALL) as sdk:
        answer = sdk.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hi"}])

    assert answer.model == "gpt-5"
    assert upstream.received("gpt-5")[0].path == "/v1/chat/completions"


def test_anthropics_sdk_by_base_url(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Anthropic's SDK reaches Anthropic's form behind it; its usage is counted, with the cache in the prompt."""
    before = gateway.metric("wizard_tokens_total", provider="claude", type="prompt")
    upstream.on(
        "claude-x",
        whole(
            b'{"id":"1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":"end_turn",'
            b'"usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}'
        ),
    )

    plain = anthropic.DefaultHttpxClient(**LOCAL)
    with anthropic.Anthropic(base_url=f"{gateway.url}/pass/claude", api_key=ALL, http_client=plain) as sdk:
        answer = sdk.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}])

    received = upstream.received("claude-x")[0]
    assert answer.usage.input_tokens == 5
    assert (received.path, received.headers["x-api-key"]) == ("/v1/messages", PROVIDER_KEY)
    gateway.wait_for_metric("wizard_tokens_total", before + 7, provider="claude", type="prompt")


def test_anthropics_batches(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Anthropic's SDK makes batches, watches them, and reads what came of them line by line."""
    batch = (
        b'{"id":"msgbatch_1","type":"message_batch","processing_status":"%b","created_at":"2026-01-01T00:00:00Z",'
        b'"expires_at":"2026-01-02T00:00:00Z","request_counts":{"canceled":0,"errored":0,"expired":0,"processing":0,'
        b'"succeeded":1},"results_url":"%b/messages/batches/msgbatch_1/results"}'
    )
    lines = b'{"custom_id":"a","result":{"type":"expired"}}\n{"custom_id":"b","result":{"type":"canceled"}}\n'
    root = f"{gateway.url}/pass/claude"

    def keep(exchange: Exchange) -> None:
        if exchange.request.path.endswith("/results"):
            exchange.answer(lines, media_type="application/x-jsonl")
        else:
            exchange.answer(batch % (b"ended", f"{root}/v1".encode()))

    upstream.on("", keep)
    asked: Any = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}

    plain = anthropic.DefaultHttpxClient(**LOCAL)
    with anthropic.Anthropic(base_url=root, api_key=ALL, http_client=plain) as sdk:
        made = sdk.messages.batches.create(requests=[{"custom_id": "a", "params": asked}])
        results = [(line.custom_id, line.result.type) for line in sdk.messages.batches.results(made.id)]

    assert results == [("a", "expired"), ("b", "canceled")]
    assert [each.path for each in upstream.received("")] == [
        "/v1/messages/batches",
        "/v1/messages/batches/msgbatch_1",
        "/v1/messages/batches/msgbatch_1/results",
    ]
    assert {each.headers["x-api-key"] for each in upstream.received("")} == {PROVIDER_KEY}


def test_usage_and_cost_are_kept(gateway: GatewayProcess, http: httpx2.Client, upstream: Upstream) -> None:
    """What an answer says of its usage is priced by the model that the request names, whole and streamed."""
    upstream.on("priced", whole(CHAT))
    whole_answer = http.post("/pass/box/chat/completions", json={"model": "priced"})
    upstream.on("priced", streamed(b"data: %b\n\n" % CHAT, b"data: [DONE]\n\n"))
    streamed_answer = http.post("/pass/box/chat/completions", json={"model": "priced", "stream": True}, headers=SSE)

    assert whole_answer.headers["x-wizard-cost-usd"] == "0.00001100"
    assert streamed_answer.content == b"data: %b\n\ndata: [DONE]\n\n" % CHAT
    gateway.wait_for_metric("wizard_tokens_total", 8, provider="box", model="priced", type="completion")
    gateway.wait_for_metric("wizard_cost_usd_total", 0.000022, provider="box", model="priced")
    gateway.wait_for_metric("wizard_requests_total", 2, provider="box", model="priced", status="200")


def test_reading_an_answer_again_costs_nothing(
    gateway: GatewayProcess, http: httpx2.Client, upstream: Upstream
) -> None:
    """A GET may bring an old answer with its usage; that was counted when it was made."""
    upstream.on("again", whole(CHAT))

    reply = http.get("/pass/box/models/again")

    assert reply.content == CHAT
    gateway.wait_for_metric("wizard_requests_total", 1, provider="box", model="again", status="200")
    assert gateway.metric("wizard_tokens_total", provider="box", model="again", type="prompt") == 0


def test_a_stream_is_passed_on_piece_by_piece(http: httpx2.Client, upstream: Upstream) -> None:
    """Nothing waits for the end of a stream: a piece is there before the next one exists."""
    upstream.hold("slow")

    read = threading.Event()

    def play() -> None:
        exchange = upstream.take("slow")
        exchange.begin()
        exchange.part(b"data: 1\n\n")
        read.wait(LIMIT_S)
        exchange.part(b"data: 2\n\n")
        exchange.end()

    provider = threading.Thread(target=play)
    provider.start()
    with http.stream("POST", "/pass/box/x", json={"model": "slow"}) as reply:
        pieces = reply.iter_raw()
        first = next(pieces)
        read.set()
        rest = b"".join(pieces)
    provider.join(LIMIT_S)

    assert (first, rest) == (b"data: 1\n\n", b"data: 2\n\n")


def test_a_cut_stream_is_no_whole(http: httpx2.Client, upstream: Upstream) -> None:
    """A provider that breaks off breaks the client's connection, after an error event where events are spoken."""

    def dies(exchange: Exchange) -> None:
        exchange.begin()
        exchange.part(b"data: 1\n\ndata: ")
        exchange.break_off()

    upstream.on("cut", dies)

    got: list[bytes] = []
    with http.stream("POST", "/pass/box/x", json={"model": "cut"}) as reply, pytest.raises(httpx2.RemoteProtocolError):
        got.extend(reply.iter_raw())

    assert b"".join(got).startswith(b"data: 1\n\ndata: \n\ndata: ")
    assert b'"code":"stream_broken"' in b"".join(got)


def test_a_cut_download_is_no_whole(http: httpx2.Client, upstream: Upstream) -> None:
    """Bytes that are no events get no words of ours; the connection says that they are not all."""

    def dies(exchange: Exchange) -> None:
        exchange.begin(media_type="application/octet-stream")
        exchange.part(b"abc")
        exchange.break_off()

    upstream.on("", dies)

    got: list[bytes] = []
    with http.stream("GET", "/pass/box/blob") as reply, pytest.raises(httpx2.RemoteProtocolError):
        got.extend(reply.iter_raw())

    assert b"".join(got) == b"abc"


def test_the_client_leaving_closes_the_upstream(http: httpx2.Client, upstream: Upstream) -> None:
    """Who leaves in the middle stops what the provider is doing."""
    upstream.hold("long")
    seen: list[bool] = []

    def play() -> None:
        exchange = upstream.take("long")
        exchange.begin()
        exchange.part(b"data: 1\n\n")
        seen.append(exchange.peer_left())

    provider = threading.Thread(target=play)
    provider.start()
    with http.stream("POST", "/pass/box/x", json={"model": "long"}) as reply:
        first = next(reply.iter_raw())
    provider.join(LIMIT_S)

    assert first == b"data: 1\n\n"
    assert seen == [True]


def test_an_upload_is_passed_on(http: httpx2.Client, upstream: Upstream) -> None:
    """A body that is no JSON may be larger than what is ever held, and arrives byte for byte."""
    upstream.on("", whole(b"{}"))
    body = bytes(range(256)) * 8000

    reply = http.put("/pass/box/blobs/1", content=body, headers={"content-type": "application/octet-stream"})

    received = upstream.received("")[0]
    assert reply.status_code == 200
    assert received.body == body
    assert received.headers["content-length"] == str(len(body))
    assert received.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("size", "media"), [(150_000, "application/json"), (6_000_000, "application/octet-stream")], ids=["held", "upload"]
)
def test_bodies_have_a_bound(http: httpx2.Client, size: int, media: str) -> None:
    """A body over its bound is refused, whether it says so or comes without a length."""
    told = http.post("/pass/box/x", content=bytes(size), headers={"content-type": media})
    untold = http.post("/pass/box/x", content=iter([bytes(size // 3)] * 4), headers={"content-type": media})

    assert (told.status_code, code(told)) == (413, "body_too_large")
    assert (untold.status_code, code(untold)) == (413, "body_too_large")
    assert told.json()["error"]["source"] == "gateway"


@pytest.mark.parametrize(
    "path",
    [
        "/pass/box/../admin", "/pass/box/a/%2e%2e/b", "/pass/box/a/..%2fb", "/pass/box/a/%252e%252e/b",
        "/pass/box/http://127.0.0.1:1/x", "/pass/box//evil.example/x", "/pass/box/a%5c..%5cb", "/pass/box/a%00b",
        "/pass/box", "/pass/box/a?x=%zz",
    ],
)  # fmt: skip
def test_no_way_out_of_the_providers_address(gateway: GatewayProcess, path: str) -> None:
    """What might lead anywhere but below the provider's own address is refused before anything is sent."""
    with httpx2.Client(**LOCAL) as client:
        request = httpx2.Request("GET", gateway.url, headers={"authorization": f"Bearer {ALL}"})
        request.extensions["target"] = path.encode()
        reply = client.send(request)

    assert (reply.status_code, code(reply)) == (400, "invalid_request")


def test_keys_need_the_whole_provider(gateway: GatewayProcess, http: httpx2.Client) -> None:
    """A key for single models or roles, or for another provider, may not pass requests on; without one nobody may."""
    stranger, other, one, humble = (
        http.get("/pass/box/models", headers={"authorization": f"Bearer {token}"})
        for token in ("wz-nobody", OTHER, ONE_MODEL, HUMBLE)
    )

    assert (stranger.status_code, other.status_code, one.status_code, humble.status_code) == (401, 403, 403, 403)
    assert code(one) == "forbidden"
    assert "box/*" in one.json()["error"]["message"]
    assert httpx2.get(f"{gateway.url}/pass/box/models", **LOCAL).status_code == 401


def test_only_listed_providers(http: httpx2.Client) -> None:
    """A provider that is not listed, and one that is not there, look alike."""
    hidden, unknown = http.get("/pass/hidden/models"), http.get("/pass/nowhere/models")

    assert (hidden.status_code, code(hidden)) == (unknown.status_code, code(unknown)) == (404, "not_found")


def test_rate_limits_hold(http: httpx2.Client, upstream: Upstream) -> None:
    """A limit on a model counts what is passed on to it."""
    upstream.on("limited", whole(b"{}"))

    first, second = (http.post("/pass/box/x", json={"model": "limited"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert code(second) == "rate_limited"


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [(400, 400, "invalid_request"), (404, 404, "not_found"), (409, 409, "conflict"), (410, 400, "invalid_request"),
     (401, 502, "target_misconfigured"), (429, 429, "target_rate_limited"), (500, 502, "target_failed"),
     (302, 502, "bad_upstream_reply")],
)  # fmt: skip
def test_refusals_have_the_gateways_form(
    http: httpx2.Client, upstream: Upstream, status: int, seen: int, expected: str
) -> None:
    """A provider's refusal is told as everywhere, in its own words only where the request is to blame."""
    upstream.on(f"no{status}", refused(status))

    reply = http.post("/pass/box/x", json={"model": f"no{status}"})

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (seen, expected)
    assert error["source"] == "upstream"
    assert ("The provider says no." in error["message"]) == (seen in {400, 404, 409})
    assert len(upstream.received(f"no{status}")) == 1


def test_the_circuit_hears_of_it(http: httpx2.Client) -> None:
    """A provider that cannot be reached is left alone after a while, and nothing is tried twice."""
    codes = [code(http.get("/pass/closed/models")) for _ in range(3)]

    assert codes[:2] == ["target_unavailable", "target_unavailable"]
    assert codes[2] == "circuit_open"


def test_a_page_of_another_origin_is_refused(upstream: Upstream) -> None:
    """Where no key is needed, a page on the internet cannot have its reader's browser use the provider."""
    config = {
        "providers": {"box": {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}},
        "passthrough": {"enabled": True},
    }
    with running(Start(config)) as process:
        reply = httpx2.post(
            f"{process.url}/pass/box/x", content=b"{}", **LOCAL,
            headers={"origin": "https://evil.example", "content-type": "text/plain"},
        )  # fmt: skip

    assert (reply.status_code, code(reply)) == (403, "forbidden")


def test_it_is_off_by_default(upstream: Upstream) -> None:
    """Without being switched on there is no such path."""
    with running(Start({"providers": {"box": {"kind": "openai", "base_url": upstream.url}}})) as process:
        reply = process.get("/pass/box/models")

    assert (reply.status_code, code(reply)) == (404, "not_found")
    assert "passthrough.enabled" in reply.json()["error"]["suggestion"]


def test_every_route_is_described(http: httpx2.Client) -> None:
    """The API's own description knows what is passed on."""
    paths = http.get("/openapi.json").json()["paths"]

    assert {"get", "post", "put", "patch", "delete", "head"} <= paths["/pass/{provider}/{path}"].keys()
    assert {"get", "post"} <= paths["/v1/files"].keys()
    assert "post" in paths["/v1/batches/{batch_id}/cancel"]
    assert "get" in paths["/v1/files/{file_id}/content"]

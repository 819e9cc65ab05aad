"""Request bodies and headers, through every front dialect, validation, the estimate of tokens and every codec."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from app.api.dialects.anthropic.counting import CountDialect
from app.api.dialects.anthropic.dialect import MessagesDialect
from app.api.dialects.chat import ChatDialect
from app.api.dialects.generate import GenerateDialect
from app.api.dialects.plain import plain_dialects
from app.api.dialects.port import Dialect
from app.api.dialects.responses.dialect import ResponsesDialect
from app.api.inbound import FORWARDED, Headers, credential_of, forwarded, is_foreign_page, request_id_of
from app.api.request_options import request_options_of
from app.core.caching.canonical import canonical, spelled
from app.core.call import Target as Aim
from app.core.errors import GatewayError
from app.core.loop_detection import Loop
from app.core.model import ChatRequest, Request
from app.core.parameters import Quantities
from app.core.tokens import prompt_tokens
from app.providers.endpoint import encoded_for
from app.stages.validate import Validate, ValidateOptions
from tests.fuzz.targets.pieces import chosen
from tests.fuzz.targets.target import Target
from tests.providers.conformance.dialects import DIALECTS as CODECS
from tests.providers.conformance.dialects import GOLDEN
from tests.support.calls import a_call

FRONTS: tuple[Dialect, ...] = (
    ChatDialect(),
    GenerateDialect(),
    MessagesDialect(),
    ResponsesDialect(),
    CountDialect(),
    *plain_dialects().values(),
)
VALIDATE = Validate(ValidateOptions(256, 2_000_000, 64, allow_control_chars=False, quantities=Quantities(64, 64)))
JSON: Headers = {b"content-type": b"application/json"}
FORM: Headers = {b"content-type": b'multipart/form-data; boundary="b"'}
_CODECS = tuple((codec.codec(), Aim("p", codec.tag)) for codec in CODECS)
_NAMES = (b"x-wizard-timeout-ms", b"x-wizard-retries", b"cache-control", b"x-wizard-tags", b"x-wizard-session",
          b"authorization", b"content-type", b"x-request-id", b"x-wizard-cache-ttl", b"x-wizard-cache-similarity",
          b"idempotency-key", b"x-wizard-priority", b"traceparent", b"x-stainless-read-timeout",
          b"origin", b"host")  # fmt: skip


def one(data: bytes) -> None:
    """Read one request."""
    (front, kind), body = chosen(data, 2)
    dialect = FRONTS[front % len(FRONTS)]
    headers: Headers = JSON
    if kind == 1:
        headers = FORM
    elif kind == 2:
        lines, _, body = body.partition(b"\n\n")
        headers = dict(zip(_NAMES, lines.split(b"\n"), strict=False))
    with suppress(GatewayError):
        _read(dialect, body, headers)


def _read(dialect: Dialect, body: bytes, headers: Headers) -> None:
    request_id_of(headers)
    credential_of(headers)
    forwarded(headers, FORWARDED, Loop("0123456789abcdef"))
    dialect.require(headers)
    is_foreign_page({name: headers.get(name, b"") for name in (b"origin", b"host")})  # as of a page without a key
    request, _ = dialect.read(body, headers)
    VALIDATE.check(a_call(request))
    with suppress(GatewayError):
        request_options_of(headers)
    if (fields := canonical(request.raw)) is not None:
        spelled(fields)
    if isinstance(request, ChatRequest):
        assert prompt_tokens(request) >= 0
        _encode(request)


def _encode(request: Request) -> None:
    for codec, aim in _CODECS:
        with suppress(GatewayError):
            msgspec.json.decode(encoded_for(codec, request, aim).body, type=msgspec.Raw)


def _seeds() -> list[bytes]:
    chats = [path.read_bytes() for path in sorted(GOLDEN.joinpath("canonical", "requests").glob("*.json"))]
    others = Path(__file__).parents[2] / "providers" / "golden"
    messages = [path.read_bytes() for path in sorted(others.joinpath("anthropic", "requests").rglob("*.json"))]
    responses = [path.read_bytes() for path in sorted(others.joinpath("responses", "requests").rglob("*.json"))]
    form = b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nx\r\n--b--\r\n'
    plain = b'{"model":"m","input":["a",{"text":"b"}],"prompt":"p","query":"q","documents":["d"],"stream":true}'
    short = b'{"model":"m","prompt":"p","system":"s","session_id":"a","options":{"timeout_s":1,"caching":false}}'
    header = b"1000\n3\nno-cache, max-age=3\na,b\ns\nBearer k\napplication/json\nreq\n5\n0.9\nkey\nhigh\n00-01\n5\nhttp://a\na\n\n"
    return [
        *[b"\0\0" + raw for raw in chats],
        *[b"\1\0" + raw for raw in chats[:2]],
        *[bytes([front, 0]) + raw for front in (2, 4) for raw in messages],
        *[b"\3\0" + raw for raw in responses],
        *[bytes([front, 0]) + plain for front in range(5, len(FRONTS))],
        *[bytes([front, 1]) + form for front in range(5, len(FRONTS))],
        b"\1\0" + short,
        b"\0\2" + header + b"\n" + chats[0],
    ]


TARGET = Target(
    "requests",
    one,
    _seeds(),
    (
        (b'\0\0{"model":"m","messages":[', b'{"role":"user","content":"hi"},', b'{"role":"user","content":"x"}]}'),
        (b'\0\0{"model":"m","messages":[{"role":"user","content":"', b"\\u0041", b'"}]}'),
        (b'\0\0{"model":"m","messages":[],"a":', b"[", b""),
        (b"\0\0{", b'"model":"m",', b'"messages":[]}'),
        (b'\2\0{"model":"m","max_tokens":1,"messages":[', b'{"role":"user","content":"a"},',
         b'{"role":"user","content":"b"}]}'),
        (b'\3\0{"model":"m","input":[', b'{"role":"user","content":"a"},', b'{"role":"user","content":"b"}]}'),
        (b"\x0b\1", b"--b\r\n", b"--b--"),
        (b'\x0b\1--b\r\ncontent-disposition: form-data; name="model"', b'; a="', b"\r\n\r\nx\r\n--b--"),
        (b"\0\2\n\n", b"no-cache,", b"\n\n{}"),
    ),
)  # fmt: skip

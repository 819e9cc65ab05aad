"""
The bytes both ends of the benchmark agree on: requests, the answer and the streamed chunks.

Every streamed chunk carries the sender's monotonic clock inside its text, the one place that every gateway hands on
unchanged. On Linux and macOS that clock is the same for all processes of a machine, so the receiver can subtract.
"""

from __future__ import annotations

import msgspec

STAMP = b"@t="
STAMP_DIGITS = 17
"""Length of a stamp behind its mark: seconds with microseconds, zero-padded to a fixed width."""

SERIAL = "aaaaaaaaaa"
"""Stands in every question, to be replaced by a number of its own: no answer of a benchmark comes from a cache."""
_LETTERS = bytes.maketrans(b"0123456789", b"abcdefghij")

SSE_DONE = b"data: [DONE]\n\n"
UPSTREAM_MODEL = "mock-small"

_QUESTION = (
    "Summarise the following note for a colleague who was not at the meeting, in two short sentences and in plain "
    "words. We agreed to move the release to the second week of the month, to write the migration guide first, and to "
    f"let the support team read it before anybody else does. Open: who translates it. Note {SERIAL}."
)
_ANSWER = (
    "The release moves to the second week of the month, because the migration guide comes first and support reads it "
    "before anyone else. It is still open who translates the guide, so please say if you can take that on. "
)
_STREAM_HEAD = (
    b'data: {"id":"chatcmpl-bench00000000000000000001","object":"chat.completion.chunk","created":1763769600,'
    b'"model":"mock-small","service_tier":"default","system_fingerprint":"fp_bench0001","choices":[{"index":0,"delta":'
)
_STREAM_TAIL = b',"logprobs":null,"finish_reason":null}]}\n\n'


def serial(number: int) -> bytes:
    """Spell a number as long as `SERIAL`, in letters: digits would be looked at closely, being those of a telephone."""
    return (b"%0*d" % (len(SERIAL), number % 10 ** len(SERIAL))).translate(_LETTERS)


def chat_request(model: str, *, tokens: int | None = None, more_bytes: int = 0) -> bytes:
    """
    Build the body of a chat completion of about 400 bytes.

    Args:
        model: Name by which the contestant knows the mock.

        tokens: Content chunks to stream; `None` asks for a unary answer.

        more_bytes: By how much the prompt is to be longer, about.
    """
    more = _QUESTION * (more_bytes // len(_QUESTION))
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a careful assistant."},
            {"role": "user", "content": _QUESTION + more.replace(SERIAL, "")},
        ],
        "temperature": 0.2,
    }
    if tokens is not None:
        body |= {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": tokens}
    return msgspec.json.encode(body)


def completion() -> bytes:
    """Build the unary answer: one choice and its usage, about 760 bytes."""
    return msgspec.json.encode(
        {
            "id": "chatcmpl-bench00000000000000000001",
            "object": "chat.completion",
            "created": 1763769600,
            "model": UPSTREAM_MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": _ANSWER, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                },
            ],
            "usage": {
                "prompt_tokens": 87,
                "completion_tokens": 44,
                "total_tokens": 131,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_bench0001",
        },
    )


def role_frame() -> bytes:
    """Build the first frame of a stream, which names the role and commits nobody."""
    return _STREAM_HEAD + b'{"role":"assistant","content":""}' + _STREAM_TAIL


def token_frame(now_s: float) -> bytes:
    """Build one content frame of about 300 bytes, stamped with `now_s`."""
    stamp = STAMP + b"%0*.6f" % (STAMP_DIGITS, now_s)
    return _STREAM_HEAD + b'{"content":"' + stamp + b' and so it went on"}' + _STREAM_TAIL


def closing_frames(tokens: int, *, usage: bool) -> bytes:
    """Build what ends a stream: the finish reason, the usage if it was asked for, and the end mark."""
    finish = _STREAM_HEAD + b"{}" + _STREAM_TAIL.replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    if not usage:
        return finish + SSE_DONE
    counts = b'{"prompt_tokens":87,"completion_tokens":%d,"total_tokens":%d}' % (tokens, 87 + tokens)
    return finish + _STREAM_HEAD.partition(b'[{"index"')[0] + b'[],"usage":' + counts + b"}\n\n" + SSE_DONE


def models() -> bytes:
    """Build the answer to a model listing."""
    model = {"id": UPSTREAM_MODEL, "object": "model", "created": 1763769600, "owned_by": "bench"}
    return msgspec.json.encode({"object": "list", "data": [model]})


def http_request(body: bytes, key: str | None = None) -> bytes:
    """Wrap a chat completion body into the HTTP/1.1 request that carries it, and the key of whoever asks."""
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n%b\r\n"
    )
    return head % (len(body), b"" if key is None else b"authorization: Bearer %b\r\n" % key.encode()) + body


def http_answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    """Wrap a JSON body into an HTTP/1.1 answer on a connection that stays open."""
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def http_chunk(frame: bytes) -> bytes:
    """Wrap one frame into one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)

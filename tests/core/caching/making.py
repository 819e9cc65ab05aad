"""Stored answers and calls, as the tests of the cache need them."""

from __future__ import annotations

from typing import Any

import msgspec

from app.core.caching.canonical import canonical
from app.core.caching.keys import Keys, Scope
from app.core.caching.stored import Origin, Stored
from app.core.call import Call, Target
from app.core.identity import ANONYMOUS, Caller, Credential
from app.core.model import Completion
from app.core.usage import Usage
from tests.support.calls import a_call, chat_request
from tests.support.virtual_time import EPOCH_S

ASKED: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


def answer(text: str = "hello", /, **choice: object) -> Completion:
    """Return a whole answer with one choice."""
    message = {"role": "assistant", "content": text}
    body = {"id": "x", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}
    return Completion(msgspec.json.encode(body), Usage(1, 2, 3), ("stop",))


def stored(text: str = "hello", *, born_s: float = EPOCH_S, fresh_s: float = 60.0, kept_s: float = 60.0) -> Stored:
    """Return a stored answer."""
    return Stored(answer(text), "fast", Origin(Target("acme", "small")), born_s, fresh_s, kept_s)


def call_of(
    body: dict[str, Any],
    caller: Caller = ANONYMOUS,
    token: bytes | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Call:
    """Return a call with this body."""
    call = a_call(chat_request(msgspec.json.encode(body)))
    credential = None if token is None else Credential(token)
    return msgspec.structs.replace(call, caller=caller, credential=credential, headers=headers)


def key_of(call: Call, scope: Scope = "key", ignored: frozenset[str] = frozenset(), fingerprint: str = "") -> str:
    """Return the key of a call."""
    fields = canonical(call.request.raw)
    assert fields is not None
    return Keys(scope, ignored, lambda _model: fingerprint).key(call, fields)

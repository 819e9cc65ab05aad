"""
The name under which an answer is stored: the same for the same question of the same tenant, and for no other.

`chat:fast:team-a:9f86d0…`: operation, model as it was asked for, tenant, and a SHA-256 over everything that can change
the answer. The first three are there for people, and for deleting by prefix.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import msgspec

from app.core.caching.canonical import Fields, canonical, spelled
from app.core.call import Call
from app.core.loop_detection import VIA
from app.core.model import ChatRequest, Native

Scope: TypeAlias = Literal["key", "team", "global"]

VERSION: Final = b"1"  # of keys and of what is stored under them; older answers are not found any more
_EVERYBODY: Final = "global"
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._/@-]")
_LABEL_MAX_CHARS: Final = 64
_BASES_KEPT: Final = 1024
# They say where a call comes from, not what it asks.
_TRANSPORT: Final = frozenset({"traceparent", "tracestate", "idempotency-key", VIA})


class _Base(msgspec.Struct, frozen=True):
    label: str
    seed: bytes


class Keys:
    """
    Makes keys.

    Args:
        scope: Who shares answers. Where nobody needs a key, callers that present different ones are still kept apart.

        ignored: Fields of a body that never make a difference, besides those of delivery.

        fingerprint: What is configured about a model name (its targets, their addresses); another value, other keys.
    """

    def __init__(self, scope: Scope, ignored: frozenset[str], fingerprint: Callable[[str], str]) -> None:
        self._scope = scope
        self._ignored = ignored
        self._fingerprint = fingerprint
        self._base = lru_cache(_BASES_KEPT)(self._made)

    def key(self, call: Call, fields: Fields) -> str:
        """Return the key of a call; `fields` are its canonical ones."""
        tenant, token = self.partition(call)
        base = self._base(call.request.operation.value, call.request.model, tenant)
        origin = call.request.origin if isinstance(call.request, ChatRequest) else None
        asked = b"" if origin is None else self._native(origin)
        parts = [base.seed, token, _headers(call), spelled(self._kept(fields)), asked]
        return base.label + hashlib.sha256(b"\0".join(parts)).hexdigest()

    def partition(self, call: Call) -> tuple[str, bytes]:
        """Return who shares answers with this caller: a name, and what tells apart callers that nobody knows."""
        caller = call.caller
        if self._scope == "global":
            return _EVERYBODY, b""
        if self._scope == "team" and caller.team is not None:
            return f"team/{caller.team}", b""
        if caller.known or call.credential is None:
            return caller.tenant, b""
        return caller.tenant, hashlib.sha256(call.credential.token).digest()

    def _kept(self, fields: Fields) -> Fields:
        if self._ignored.isdisjoint(fields):
            return fields
        return {name: value for name, value in fields.items() if name not in self._ignored}

    def _native(self, origin: Native) -> bytes:
        """Spell the body in the client's own dialect, which may hold what has no canonical form."""
        fields = canonical(origin.raw)
        return origin.dialect.encode() + (origin.raw if fields is None else spelled(self._kept(fields)))

    def _made(self, operation: str, model: str, tenant: str) -> _Base:
        names = (operation, model, tenant)
        label = ":".join([_UNUSUAL.sub("_", name)[:_LABEL_MAX_CHARS] for name in names])
        seed = "\0".join((*names, self._fingerprint(model))).encode("utf-8", "surrogatepass")
        return _Base(f"{label}:", b"\0".join((VERSION, seed)))


def _headers(call: Call) -> bytes:
    if not call.headers:
        return b""
    return "\n".join([f"{name}:{value}" for name, value in call.headers if name not in _TRANSPORT]).encode()

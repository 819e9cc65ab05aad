"""
Cache keys: equal for equal requests of one tenant, and for no others.

`chat:fast:team-a:9f86d0…`: operation, model as requested, tenant, and a SHA-256 over everything that can change the
answer. The first three are for people to read, and for deleting by prefix.
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

VERSION: Final = b"1"  # of the format of keys and entries; another version does not find older entries
_GLOBAL: Final = "global"
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._/@-]")
_LABEL_MAX_CHARS: Final = 64
_BASES_KEPT: Final = 1024
# Headers that describe where a call comes from, not what it requests.
_TRANSPORT: Final = frozenset({"traceparent", "tracestate", "idempotency-key", VIA})


class _Base(msgspec.Struct, frozen=True):
    label: str
    seed: bytes


class Keys:
    """
    Makes cache keys.

    Args:
        scope: Who shares answers. Without virtual keys, callers with different credentials are still kept apart.

        ignored: Fields of a body left out of the key, besides those of delivery.

        fingerprint: Identifies the configuration of a model name (targets, addresses); changing it changes the keys.
    """

    def __init__(self, scope: Scope, ignored: frozenset[str], fingerprint: Callable[[str], str]) -> None:
        self._scope = scope
        self._ignored = ignored
        self._fingerprint = fingerprint
        self._base = lru_cache(_BASES_KEPT)(self._make_base)

    def key(self, call: Call, fields: Fields) -> str:
        """Return the key of a call with the canonical `fields`."""
        tenant, token = self.partition(call)
        base = self._base(call.request.operation.value, call.request.model, tenant)
        origin = call.request.origin if isinstance(call.request, ChatRequest) else None
        native = b"" if origin is None else self._native(origin)
        parts = [base.seed, token, _headers(call), spelled(self._kept(fields)), native]
        return base.label + hashlib.sha256(b"\0".join(parts)).hexdigest()

    def partition(self, call: Call) -> tuple[str, bytes]:
        """Return who shares answers with this caller: a name, and a digest of the credential of an unknown caller."""
        caller = call.caller
        if self._scope == "global":
            return _GLOBAL, b""
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
        """Encode the body in the client's own dialect, which may have fields that the translated request lacks."""
        fields = canonical(origin.raw)
        return origin.dialect.encode() + (origin.raw if fields is None else spelled(self._kept(fields)))

    def _make_base(self, operation: str, model: str, tenant: str) -> _Base:
        names = (operation, model, tenant)
        label = ":".join([_UNUSUAL.sub("_", name)[:_LABEL_MAX_CHARS] for name in names])
        seed = "\0".join((*names, self._fingerprint(model))).encode("utf-8", "surrogatepass")
        return _Base(f"{label}:", b"\0".join((VERSION, seed)))


def _headers(call: Call) -> bytes:
    if not call.headers:
        return b""
    return "\n".join([f"{name}:{value}" for name, value in call.headers if name not in _TRANSPORT]).encode()

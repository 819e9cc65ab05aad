"""
Idempotency keys: types of claims and stored answers, and the port of the store.

The first call that claims a name produces the answer; later ones wait for it and get the same. A name is a digest of
the tenant and its client's key, so tenants never share names.
"""

from __future__ import annotations

import hashlib
from typing import Protocol, TypeAlias

import msgspec

from app.core.call import Target
from app.core.model import Completion


class Answered(msgspec.Struct, frozen=True):
    """A complete answer, the target that gave it, and the `fingerprint` of its request (see `fingerprint_of`)."""

    fingerprint: bytes
    completion: Completion
    target: Target | None = None

    @property
    def size(self) -> int:
        """Return its approximate size in bytes."""
        native = self.completion.native
        return len(self.completion.raw) + (0 if native is None else len(native.raw))


class Leading(msgspec.Struct, frozen=True):
    """The claim was the first: its call produces the answer, and then passes this to `keep` or `give_up`."""

    name: str
    token: str


class Busy(msgspec.Struct, frozen=True):
    """Another call is producing the answer to the same request."""

    name: str


class Different(msgspec.Struct, frozen=True):
    """The name is claimed by a different request."""


Claim: TypeAlias = Leading | Busy | Different | Answered


class Repeats(Protocol):
    """
    Stores which calls are in progress or answered, for as long as their answers are kept.

    If shared state is unreachable and the policy is to refuse calls then, `claim` raises STATE_UNAVAILABLE.
    """

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Claim a name and return the result: the first, in progress, claimed by a different request, or answered."""

    async def wait(self, busy: Busy, looks: int) -> None:
        """Wait until repeating the claim may have another result; `looks` is the number of waits before this one."""

    async def keep(self, leading: Leading, answered: Answered) -> None:
        """Store an answer for calls that wait or come later; if it is too large, give up the claim instead."""

    async def give_up(self, leading: Leading) -> None:
        """Release the claim, so that the next one is the first."""


def name_of(tenant: str, key: str) -> str:
    """Return the name for an idempotency key of a client of `tenant`."""
    return hashlib.sha256(f"{tenant}\0{key}".encode()).hexdigest()


def fingerprint_of(endpoint: str, body: bytes) -> bytes:
    """Return a digest of a request's endpoint and exact body."""
    return hashlib.sha256(endpoint.encode() + b"\0" + body).digest()

"""Who was refused, and what became of keys."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class CredentialRefused(msgspec.Struct, frozen=True):
    """
    A caller could not say who it is.

    `reason` is missing, unknown, revoked or expired; `key_id` names the key, where it is one that was known.
    """

    request_id: str
    reason: str
    key_id: str


class ModelForbidden(msgspec.Struct, frozen=True):
    """A caller asked for a model that its key does not allow."""

    request_id: str
    key_id: str


class KeyChanged(msgspec.Struct, frozen=True):
    """An operator has created, revoked or rotated a virtual key; `action` is one of these words."""

    key_id: str
    action: str


class TokenKeysChanged(msgspec.Struct, frozen=True):
    """The keys by which signed tokens are checked were fetched, or could not be (`reason` is a fixed word then)."""

    keys: int
    reason: str = ""


IdentitySignal: TypeAlias = CredentialRefused | ModelForbidden | KeyChanged | TokenKeysChanged

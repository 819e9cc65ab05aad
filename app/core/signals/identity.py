"""Signals of authentication, authorization, virtual keys and admin requests."""

from __future__ import annotations

from app.core.signals.signal import Signal


class CredentialRefused(Signal, frozen=True):
    """
    Authentication of a caller failed.

    `reason` is missing, unknown, revoked or expired; `key_id` names the key if it is a known one.
    """

    request_id: str
    reason: str
    key_id: str


class CallForbidden(Signal, frozen=True):
    """A caller requested what its key does not allow, such as a model or a message role."""

    request_id: str
    key_id: str


class KeyChanged(Signal, frozen=True):
    """An operator changed a virtual key; `action` is created, revoked or rotated."""

    key_id: str
    action: str


class TokenKeysChanged(Signal, frozen=True):
    """The keys that verify signed tokens were fetched; if that failed, `reason` is a fixed word."""

    keys: int
    reason: str = ""


class AdminActed(Signal, frozen=True):
    """
    An audited request to the admin API was answered, or one failed authentication.

    `action` is the method and the route's path pattern, not the client's text (empty where no route matches);
    `subject` is the id of the key or session, or the target, that was changed, if it exists; `peer` is the client's
    address of the connection. No part of a body, a query or a token is included.
    """

    request_id: str
    action: str
    subject: str
    status: int
    admitted: bool
    peer: str

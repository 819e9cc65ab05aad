"""The log of who was refused, and of what became of keys. An id names a key; nothing here leads to its secret."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import CredentialRefused, KeyChanged, ModelForbidden, TokenKeysChanged
from app.telemetry.events.part import Event, told


def _refused(signal: CredentialRefused) -> list[Event]:
    return [("auth_refused", {"request_id": signal.request_id, "reason": signal.reason, "key": signal.key_id or None})]


def _forbidden(signal: ModelForbidden) -> list[Event]:
    return [("auth_refused", {"request_id": signal.request_id, "reason": "forbidden", "key": signal.key_id})]


def _changed(signal: KeyChanged) -> list[Event]:
    return [(f"key_{signal.action}", {"key": signal.key_id})]


def _token_keys_level(signal: TokenKeysChanged) -> int:
    return logging.WARNING if signal.reason else logging.INFO


def _token_keys(signal: TokenKeysChanged) -> list[Event]:
    event = "token_keys_unavailable" if signal.reason else "token_keys_loaded"
    return [(event, {"keys": signal.keys, "reason": signal.reason})]


IDENTITY: Final = (
    told(CredentialRefused, logging.INFO, _refused),
    told(ModelForbidden, logging.INFO, _forbidden),
    told(KeyChanged, logging.INFO, _changed),
    told(TokenKeysChanged, _token_keys_level, _token_keys),
)

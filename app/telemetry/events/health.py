"""The log of what the gateway stands on: circuits, keys of providers, the built-in model, shared state."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.core.circuits import CircuitState
from app.core.signals import (
    CircuitChanged,
    KeySetAside,
    LocalModelChanged,
    ProviderHealthChanged,
    ProviderLimitNear,
    StateDegraded,
)
from app.telemetry.events.part import Event, ms, told
from app.telemetry.rendering import Fields

_OPEN = CircuitState.OPEN.value
_CIRCUIT: Mapping[str, str] = MappingProxyType(
    {
        CircuitState.CLOSED.value: "circuit_closed",
        CircuitState.HALF_OPEN.value: "circuit_half_opened",
        _OPEN: "circuit_opened",
    }
)
_WELL = frozenset({"starting", "started", "ready", "stopped"})  # every other state of the local model is a warning


def _circuit_level(signal: CircuitChanged) -> int:
    return logging.WARNING if signal.now == _OPEN else logging.INFO


def _circuit(signal: CircuitChanged) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "before": signal.before,
        "reason": signal.reason,
        "failures": signal.failures or None,
        "calls": signal.calls or None,
        "open_ms": ms(signal.open_s),
    }
    return [(_CIRCUIT[signal.now], fields)]


def _limit_near(signal: ProviderLimitNear) -> list[Event]:
    fields: Fields = {
        "provider": signal.provider,
        "target_model": signal.model,
        "measure": signal.measure,
        "remaining": signal.remaining,
        "limit": signal.most,
    }
    return [("provider_limit_near", fields)]


def _key_set_aside(signal: KeySetAside) -> list[Event]:
    fields: Fields = {
        "provider": signal.provider,
        "key": signal.position,
        "reason": signal.reason,
        "pause_ms": ms(signal.pause_s),
    }
    return [("provider_key_set_aside", fields)]


def _local_model_level(signal: LocalModelChanged) -> int:
    return logging.INFO if signal.state in _WELL else logging.WARNING


def _local_model(signal: LocalModelChanged) -> list[Event]:
    return [("local_model", {"state": signal.state, "reason": signal.reason})]


def _state_level(signal: StateDegraded) -> int:
    return logging.WARNING if signal.degraded else logging.INFO


def _state(signal: StateDegraded) -> list[Event]:
    return [("state_degraded" if signal.degraded else "state_restored", {"reason": signal.reason})]


def _provider_level(signal: ProviderHealthChanged) -> int:
    return logging.INFO if signal.up else logging.WARNING


def _provider(signal: ProviderHealthChanged) -> list[Event]:
    name = "provider_up" if signal.up else "provider_down"
    return [(name, {"provider": signal.provider, "code": signal.code or None})]


HEALTH: Final = (
    told(CircuitChanged, _circuit_level, _circuit),
    told(KeySetAside, logging.WARNING, _key_set_aside),
    told(ProviderHealthChanged, _provider_level, _provider),
    told(ProviderLimitNear, logging.WARNING, _limit_near),
    told(LocalModelChanged, _local_model_level, _local_model),
    told(StateDegraded, _state_level, _state),
)

"""The configurations under which the gateway is measured, and the file that a gateway is started with."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

Settings: TypeAlias = Mapping[str, Any]

SECRET: Final = "wz-" + "k" * 43
QUIET: Final[Settings] = MappingProxyType({"logging": {"level": "warning"}})
KEYS: Final[Settings] = MappingProxyType(
    {
        "auth": {"required": True},
        "keys": [
            {"name": "bench", "hash": f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}", "team": "red"},
        ],
    }
)
LIMITS: Final[Settings] = MappingProxyType(
    {
        "limits": [
            {"name": "requests", "per": "key", "requests": 10_000_000, "window_s": 60},
            {"name": "tokens", "per": "team", "tokens": 1_000_000_000, "window_s": 60},
            {"name": "places", "per": "global", "concurrency": 1000},
        ]
    }
)
PRICES: Final[Settings] = MappingProxyType({"prices": {"mock/mock-small": {"input": 0.15, "output": 0.6}}})
BUDGETS: Final[Settings] = MappingProxyType({"budgets": [{"name": "team", "per": "team", "usd": 100_000}]})

# Everything that can be switched off: what remains is the edge, routing, the codec, and accounting without prices.
BARE: Final[Settings] = MappingProxyType(
    {
        "logging": {"level": "error"},
        "metrics": {"enabled": False},
        "circuit_breaker": {"enabled": False},
        "retry": {"max_attempts": 1},
        "validation": {"strict": False},
    }
)
# Everything that issue trackers call a gateway; the requests of a benchmark differ, so that the cache always misses.
EVERYTHING: Final[Settings] = MappingProxyType(
    {**KEYS, **LIMITS, **PRICES, "redaction": {"enabled": True}, "cache": {"enabled": True}}
)


def config_file(directory: Path, settings: Settings, port: int = 8080, mock_port: int = 8081) -> Path:
    """
    Write the configuration of a gateway on `port` with one route, `bench`, to the mock on `mock_port`.

    `settings` come on top, section by section.
    """
    base: dict[str, Any] = {
        "server": {"host": "127.0.0.1", "port": port},
        "providers": {"mock": {"kind": "openai", "base_url": f"http://127.0.0.1:{mock_port}/v1", "api_key": None}},
        "models": {"bench": {"targets": [{"provider": "mock", "model": "mock-small"}]}},
    }
    number, path = tempfile.mkstemp(prefix="gateway-", suffix=".json", dir=directory)
    with os.fdopen(number, "wb") as file:
        file.write(msgspec.json.encode(base | dict(settings)))
    return Path(path)

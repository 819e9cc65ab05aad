"""Tables about LiteLLM, read from `known.toml`: providers, model families, and reasons for missing counterparts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec


class Known(msgspec.Struct, frozen=True):
    """One of LiteLLM's providers: its kind here, and the variables from which LiteLLM reads its key and address."""

    kind: str
    key: str | None = None
    base: str | None = None


class _Tables(msgspec.Struct, frozen=True):
    providers: dict[str, Known]
    families: dict[str, str]
    refused: dict[str, str]
    reasons: dict[str, dict[str, str]]


def _read() -> _Tables:
    text = Path(__file__).with_name("known.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Tables)


_TABLES: Final = _read()
PROVIDERS: Final[Mapping[str, Known]] = MappingProxyType(_TABLES.providers)
# Prefixes of model names without a provider, and their provider.
FAMILIES: Final[Mapping[str, str]] = MappingProxyType(_TABLES.families)
# LiteLLM's providers that have no kind here, and what to do.
REFUSED: Final[Mapping[str, str]] = MappingProxyType(_TABLES.refused)
# Why a setting is not carried over, by section and name; the section `any` applies to all.
REASONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(_TABLES.reasons)

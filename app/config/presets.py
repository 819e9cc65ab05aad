"""Presets of known providers, read from `presets.toml`: their addresses, and how they differ from OpenAI."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

_VALID_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # invalid values are refused by the schema
_OPEN = re.compile(r"\{(\w+)\}")
# Path suffixes of OpenAI-compatible endpoints: a provider with its own dialect speaks OpenAI's at such an address.
_COMPATIBLE: Final = MappingProxyType({"gemini": "/openai", "cohere": "/compatibility/v1", "ollama": "/v1"})


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    The facts about one provider; `presets.toml` explains each field.

    A provider without `key_env` runs on this machine, and needs no key.
    """

    label: str
    base_url: str
    dialect: str = "openai"
    key_env: tuple[str, ...] = ()
    fill_env: Mapping[str, tuple[str, ...]] = {}
    key_header: str = "bearer"
    models: str = "/models"
    automatic: bool = True
    rename: Mapping[str, str] = {}
    drop: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    moderates: str = ""
    continues: str = "none"
    continues_models: tuple[str, ...] = ("*",)
    continues_at: str = ""

    @property
    def open(self) -> tuple[str, ...]:
        """Return the names of the settings that are placeholders in the address, each once."""
        return tuple(dict.fromkeys(_OPEN.findall(self.base_url)))

    def address(self, given: Mapping[str, object]) -> str | None:
        """Return the address with its placeholders filled from `given`, or None if one is missing or invalid."""
        values = {name: given.get(name) for name in self.open}
        if not all(isinstance(value, str) and _VALID_PART.fullmatch(value) for value in values.values()):
            return None
        if values.get("region") == "global":  # Google's global endpoint has no region in its host name
            return _OPEN.sub(lambda match: str(values[match[1]]), self.base_url.replace("{region}-", "", 1))
        return _OPEN.sub(lambda match: str(values[match[1]]), self.base_url)

    def found_in(self, environ: Mapping[str, str]) -> dict[str, str] | None:
        """Return its settings from the environment, or None if its key or a part of its address is missing."""
        names = {"api_key": self.key_env, **{name: self.fill_env.get(name, ()) for name in self.open}}
        settings = {
            name: next((value for variable in variables if (value := environ.get(variable, "").strip())), "")
            for name, variables in names.items()
        }
        return settings if all(settings.values()) else None


def dialect_of(kind: str, base_url: str) -> str:
    """Return the dialect of a provider of this kind at this address; for an unknown kind, its own name."""
    compatible = _COMPATIBLE.get(kind)
    if compatible is not None and base_url.rstrip("/").endswith(compatible):
        return "openai"
    preset = PRESETS.get(kind)
    return kind if preset is None else preset.dialect


def _read() -> Mapping[str, Preset]:
    text = Path(__file__).with_name("presets.toml").read_text(encoding="utf-8")
    return MappingProxyType(msgspec.convert(tomllib.loads(text), dict[str, Preset]))


PRESETS: Final[Mapping[str, Preset]] = _read()

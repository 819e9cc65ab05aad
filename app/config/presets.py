"""The providers that are known by name, read from `presets.toml`: where they answer and how they differ from OpenAI."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # what is not, is refused where it stands
_OPEN = re.compile(r"\{(\w+)\}")
# Addresses of compatible endpoints: a provider with a dialect of its own that is configured with one speaks OpenAI's.
_COMPATIBLE: Final = MappingProxyType({"gemini": "/openai", "cohere": "/compatibility/v1", "ollama": "/v1"})


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What is known of one provider; `presets.toml` says what each field means.

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
        """Return the settings that the address leaves open, each once."""
        return tuple(dict.fromkeys(_OPEN.findall(self.base_url)))

    def address(self, given: Mapping[str, object]) -> str | None:
        """Return where it answers, or None while one of the open settings is not among those `given`."""
        values = {name: given.get(name) for name in self.open}
        if not all(isinstance(value, str) and _SANE.fullmatch(value) for value in values.values()):
            return None
        if values.get("region") == "global":  # Google's has no region in its name
            return _OPEN.sub(lambda found: str(values[found[1]]), self.base_url.replace("{region}-", "", 1))
        return _OPEN.sub(lambda found: str(values[found[1]]), self.base_url)

    def found_in(self, environ: Mapping[str, str]) -> dict[str, str] | None:
        """Return what the environment holds for it, or None if its key or a part of its address is missing."""
        wanted = {"api_key": self.key_env, **{name: self.fill_env.get(name, ()) for name in self.open}}
        found = {
            name: next((value for variable in variables if (value := environ.get(variable, "").strip())), "")
            for name, variables in wanted.items()
        }
        return found if all(found.values()) else None


def dialect_of(kind: str, base_url: str) -> str:
    """Return the dialect of a provider of this kind at this address; that of an unknown kind is named like it."""
    compatible = _COMPATIBLE.get(kind)
    if compatible is not None and base_url.rstrip("/").endswith(compatible):
        return "openai"
    preset = PRESETS.get(kind)
    return kind if preset is None else preset.dialect


def _read() -> Mapping[str, Preset]:
    text = Path(__file__).with_name("presets.toml").read_text(encoding="utf-8")
    return MappingProxyType(msgspec.convert(tomllib.loads(text), dict[str, Preset]))


PRESETS: Final[Mapping[str, Preset]] = _read()

"""How the tests of the configuration write a file, read it, and look at what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from app.config.load import Loaded, load
from app.core.configuration import ConfigError, Problem

# Long enough to be cut, and without its marker in the first characters, as real keys are.
CANARY = "sk-proj-CANARY0123456789abcdefghijklmnopqrstuv"


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None, name: str = "wizard.yaml") -> Loaded:
    """Write `text` into a file and load it with nothing but `environ` around it."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {})


def refused(
    folder: Path, text: str, environ: Mapping[str, str] | None = None, name: str = "wizard.yaml"
) -> ConfigError:
    """Load a file that must be refused, and return the refusal."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ, name)
    return caught.value


def problem(folder: Path, text: str, environ: Mapping[str, str] | None = None, name: str = "wizard.yaml") -> Problem:
    """Load a file that must be refused for exactly one reason, and return it."""
    (only,) = refused(folder, text, environ, name).problems
    return only

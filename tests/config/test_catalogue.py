"""The catalogue that comes with the gateway can be read, is up to its job, and can be replaced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config.catalogue import CatalogueError, read_catalogue
from app.config.presets import PRESETS
from tests.config.cases import problem

GOOD = '{"version":"2030-01-01","kinds":{"openai":[{"id":"m","price":{"input":9.0}}]}}'


@pytest.mark.parametrize(
    ("kind", "model", "window", "price"),
    [
        ("openai", "gpt-4o-mini", 128_000, (0.15, 0.6)),
        ("openai", "gpt-4o-mini-2024-07-18", 128_000, (0.15, 0.6)),
        ("anthropic", "claude-sonnet-4-5-20250929", 200_000, (3.0, 15.0)),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 200_000, (3.3, 16.5)),
        ("gemini", "gemini-2.5-pro", 1_048_576, (1.25, 10.0)),
        ("vertex", "gemini-2.5-flash", 1_048_576, (0.3, 2.5)),
        ("azure", "gpt-4o", 128_000, (2.5, 10.0)),
        ("openrouter", "openai/gpt-4o", 128_000, (2.5, 10.0)),
        ("openai", "text-embedding-3-small", 8192, (0.02, 0.0)),
    ],
)
def test_knows_the_well_known(kind: str, model: str, window: int, price: tuple[float, float]) -> None:
    """Models that many use have a window and a price, whoever serves them."""
    info = read_catalogue().find(kind, model)

    assert info is not None
    assert info.context_window == window
    assert info.price is not None
    assert (info.price.input, info.price.output) == price


def test_every_kind_is_a_preset() -> None:
    """Prices are kept under the names by which providers are configured, with expressions that are some."""
    catalogue = read_catalogue()

    kinds = [kind for kind in PRESETS if catalogue.models(kind)]
    for kind in kinds:
        for entry in catalogue.models(kind):
            re.compile(entry.match or "")
    assert len(kinds) > 20
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", catalogue.version)


def test_a_file_may_take_its_place(tmp_path: Path) -> None:
    """A file of the operator has other prices; what families can do stays known."""
    path = tmp_path / "models.json"
    path.write_text(GOOD, encoding="utf-8")

    catalogue = read_catalogue(path)

    info = catalogue.find("openai", "m")
    assert info is not None
    assert info.price is not None
    assert (info.price.input, catalogue.version) == (9.0, "2030-01-01")
    assert catalogue.find("openai", "gpt-4o") is not None


@pytest.mark.parametrize("text", ["", "[]", '{"version":"1","kinds":{"a":[{"id":"m","match":"("}]}}', '{"kinds":{}}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """What cannot be read is said where it is named."""
    path = tmp_path / "models.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(CatalogueError):
        read_catalogue(path)


def test_problems_are_named(tmp_path: Path) -> None:
    """A file that is missing, and models of providers that are not configured, are problems of the configuration."""
    missing = problem(tmp_path, "catalogue: {file: nowhere.json}")
    foreign = problem(tmp_path, "catalogue: {models: {a/b: {context_window: 5}}}")

    assert (missing.path, foreign.path) == ("catalogue.file", "catalogue.models.a/b")
    assert "FileNotFoundError" in missing.expected
    assert "a configured provider" in foreign.expected

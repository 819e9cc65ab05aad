"""What is known of models: found by their names however they are spelled, and never more than is known."""

from __future__ import annotations

import msgspec
import pytest

from app.core.catalogue import Catalogue, Entry, Family, ModelInfo, Models, no_models
from app.core.spending.prices import Price
from app.core.usage import Usage

CHEAP, DEAR = Price(1.0, 2.0), Price(3.0, 4.0)
CATALOGUE = Catalogue(
    "2026-11-26",
    {
        "openai": [
            Entry("gpt-4o", names=("gpt-4o-2024-08-06",), context_window=9, price=CHEAP),
            Entry("gpt", match="gpt-", deprecated=True, price=DEAR),
        ],
        "gemini": [Entry("gemini-2.5-pro", price=CHEAP)],
    },
    [
        Family("gpt-4o", capabilities=frozenset({"tools"}), context_window=128, max_output=16),
        Family("embed-", operation="embeddings", capabilities=frozenset()),
        Family("(?:anthropic.)?claude", capabilities=frozenset({"vision"})),
    ],
)


@pytest.mark.parametrize(
    ("kind", "model", "info"),
    [
        ("openai", "gpt-4o", ModelInfo("chat", 9, 16, frozenset({"tools"}), CHEAP)),
        ("openai", "GPT-4o-2024-08-06", ModelInfo("chat", 9, 16, frozenset({"tools"}), CHEAP)),
        ("openai", "gpt-9", ModelInfo(price=DEAR, deprecated=True)),
        ("azure", "gpt-4o", ModelInfo("chat", 9, 16, frozenset({"tools"}), CHEAP)),
        ("vertex", "gemini-2.5-pro", ModelInfo(price=CHEAP)),
        ("openrouter", "openai/gpt-4o", ModelInfo("chat", 128, 16, frozenset({"tools"}))),
        ("ollama", "embed-x", ModelInfo("embeddings", capabilities=frozenset())),
        ("bedrock", "eu.anthropic.claude-x", ModelInfo(capabilities=frozenset({"vision"}))),
        ("ollama", "mystery", None),
    ],
)
def test_finds_models(kind: str, model: str, info: ModelInfo | None) -> None:
    """An entry of the kind has prices, a family what models can do, and together they are what is known."""
    assert CATALOGUE.find(kind, model) == info
    assert CATALOGUE.find(kind, model) == info


def test_what_is_remembered_is_bounded() -> None:
    """Names come from clients: however many they make up, each is looked up rightly."""
    for number in range(4200):
        assert CATALOGUE.find("ollama", f"mystery-{number}") is None
    assert CATALOGUE.find("ollama", "embed-x") is not None


def test_lists_the_models_of_a_kind() -> None:
    """The entries of a kind can be listed; an unknown kind has none."""
    assert [entry.id for entry in CATALOGUE.models("openai")] == ["gpt-4o", "gpt"]
    assert CATALOGUE.models("mystery") == ()


def test_the_operator_knows_better() -> None:
    """What is configured for one model wins, and may be all that is known."""

    def changed(info: ModelInfo) -> ModelInfo:
        return msgspec.structs.replace(info, context_window=7)

    models = Models(CATALOGUE, {"mine": "openai"}, {"mine/gpt-4o": changed, "mine/own": changed})

    assert models.find("mine", "gpt-4o") == ModelInfo("chat", 7, 16, frozenset({"tools"}), CHEAP)
    assert models.find("mine", "own") == ModelInfo(context_window=7)
    assert models.find("mine", "gpt-4o-2024-08-06") == ModelInfo("chat", 9, 16, frozenset({"tools"}), CHEAP)
    assert models.find("nobody", "x") is None


def test_nothing_may_be_known() -> None:
    """A gateway without a catalogue knows nothing, and that is no error."""
    assert no_models().find("openai", "gpt-4o") is None


def test_long_prompts_have_prices_of_their_own() -> None:
    """Beyond its border a call costs what long ones cost, all of it."""
    price = Price(1.0, 2.0, long_above_tokens=100, long=Price(10.0, 20.0))

    assert price.of(Usage(100, 10, 110)) == 120_000
    assert price.of(Usage(101, 10, 111)) == 1_210_000

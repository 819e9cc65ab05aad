"""The settings of recovery, and who can go on with a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.presets import PRESETS
from app.config.routing import Provider, Recovery
from tests.config.cases import loaded, problem

ABLE = "o: {kind: openai}, m: {kind: mistral}"


def route(recovery: str, targets: str = "{provider: o, model: a}, {provider: m, model: b}", more: str = "") -> str:
    """Write a route that recovers so."""
    return f"providers: {{{ABLE}}}\nmodels: {{fast: {{targets: [{targets}], recovery: {recovery}{more}}}}}"


def test_recovery_is_a_choice(tmp_path: Path) -> None:
    """Without a word about it, streams break as ever."""
    silent = loaded(tmp_path, route("{}")).settings.models["fast"].recovery
    chosen = loaded(tmp_path, route("{enabled: true}")).settings.models["fast"].recovery

    assert not silent.enabled
    assert chosen == Recovery(enabled=True, max_times=1)


@pytest.mark.parametrize("written", ["max_times: 0", "max_times: 6", "max_times: many"])
def test_bad_values_are_explained(tmp_path: Path, written: str) -> None:
    """The path and what it could be."""
    found = problem(tmp_path, route(f"{{{written}}}"))

    assert found.path == "models.fast.recovery.max_times"


@pytest.mark.parametrize(
    ("targets", "more"),
    [
        ("{provider: o, model: a}", ""),
        ("{provider: m, model: a}, {provider: m, model: a}", ""),
        ("{provider: m, model: a}, {provider: o, model: b}", ""),
        ("{provider: o, model: a}, {provider: o, model: b}", ", strategy: round_robin"),
    ],
)
def test_what_could_never_happen_is_refused(tmp_path: Path, targets: str, more: str) -> None:
    """A route without a target that could go on says so at the start, and not at the first break."""
    found = problem(tmp_path, route("{enabled: true}", targets, more))

    assert found.path == "models.fast.recovery.enabled"
    assert "continues" in found.suggestion


@pytest.mark.parametrize(
    ("targets", "more"),
    [
        ("{provider: m, model: a}, {provider: o, model: b}", ", strategy: round_robin"),
        ("{provider: o, model: a}", ", fallbacks: [m/b]"),
    ],
)
def test_what_could_is_not(tmp_path: Path, targets: str, more: str) -> None:
    """Any order but the configured one may bring an able target second, and so may fallbacks."""
    assert loaded(tmp_path, route("{enabled: true}", targets, more)).settings.models["fast"].recovery.enabled


def provider(kind: str, **more: object) -> Provider:
    """Return the settings of a provider."""
    return Provider.model_validate({"kind": kind, **more})


@pytest.mark.parametrize(
    ("given", "model", "how"),
    [
        (provider("openai"), "gpt-4o", None),
        (provider("openai", base_url="http://box/v1", continues="final_message"), "m", "final_message"),
        (provider("mistral"), "mistral-small", "prefix"),
        (provider("mistral", continues="none"), "mistral-small", None),
        (provider("deepseek"), "deepseek-chat", None),
        (provider("deepseek", base_url="https://api.deepseek.com/beta"), "deepseek-chat", "prefix"),
        (provider("anthropic"), "claude-sonnet-4-5-20250929", "trailing"),
        (provider("anthropic"), "claude-opus-4-20250514", "trailing"),
        (provider("anthropic"), "claude-3-5-haiku-latest", "trailing"),
        (provider("anthropic"), "claude-sonnet-4-6", None),
        (provider("anthropic"), "claude-opus-4-8", None),
        (provider("anthropic"), "claude-sonnet-5", None),
        (provider("ollama"), "llama3.2", "trailing"),
        (provider("vllm"), "m", "final_message"),
        (provider("vllm", api="responses"), "m", None),
        (provider("sim"), "echo", None),
    ],
)
def test_who_can_go_on(given: Provider, model: str, how: str | None) -> None:
    """What is known of a kind, unless the operator declares it."""
    assert given.goes_on(model) == how


def test_the_table_has_known_words() -> None:
    """A preset says how in a word that the setting has, too."""
    words = {preset.continues for preset in PRESETS.values()}

    assert words == {"none", "trailing", "prefix", "partial", "final_message"}

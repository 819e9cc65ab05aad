"""Claude's generations are told apart by the names of its models, on every platform."""

from __future__ import annotations

import pytest

from app.providers.anthropic.traits import COMPATIBLE, traits_of


@pytest.mark.parametrize(
    ("model", "thinking", "sampling", "structured", "max_tokens"),
    [
        ("claude-instant-1.2", "none", True, False, 4096),
        ("claude-2.1", "none", True, False, 4096),
        ("claude-3-haiku-20240307", "none", True, False, 4096),
        ("claude-3-5-sonnet-20241022", "none", True, False, 8192),
        ("claude-3-7-sonnet-latest", "budget", True, False, 32_000),
        ("claude-sonnet-4-20250514", "budget", True, False, 32_000),
        ("claude-opus-4-1-20250805", "budget", True, True, 32_000),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "budget", True, True, 32_000),
        ("claude-sonnet-4-5@20250929", "budget", True, True, 32_000),
        ("anthropic/claude-opus-4.6", "adaptive", True, True, 32_000),
        ("claude-opus-4-7", "adaptive", False, True, 32_000),
        ("claude-sonnet-5", "adaptive", False, True, 32_000),
        ("Claude-Opus-5-5", "adaptive", False, True, 32_000),
        ("claude-next", "adaptive", False, True, 32_000),
    ],
)
def test_names_tell_the_generation(
    model: str, thinking: str, sampling: bool, structured: bool, max_tokens: int
) -> None:
    """Each generation is asked as it wants to be; one that is unknown is taken for the newest."""
    traits = traits_of(model)

    assert (traits.thinking, traits.sampling, traits.structured) == (thinking, sampling, structured)
    assert traits.answer_max_tokens == max_tokens


@pytest.mark.parametrize("model", ["deepseek-chat", "kimi-k2", "glm-4.6", ""])
def test_other_models_keep_to_the_oldest_rules(model: str) -> None:
    """Servers that imitate the API know its first parameters."""
    assert traits_of(model) is COMPATIBLE


def test_who_takes_instructions_late() -> None:
    """System messages in the middle came with Opus 4.8, and not to Sonnet 5."""
    models = ("claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5-5", "claude-fable-5")

    assert [traits_of(model).late_system for model in models] == [False, True, False, True, True]

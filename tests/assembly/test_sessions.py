"""How much of a conversation is sent, as the configuration and the catalogue have it."""

from __future__ import annotations

from typing import Any

import pytest

from app.assembly.sessions import sessions
from app.core.errors import UNKNOWN_MODEL, GatewayError
from tests.assembly.support import Bench, loaded
from tests.support.virtual_time import VirtualClock

GPT = {"provider": "openai", "model": "gpt-4o"}
CONFIG: dict[str, Any] = {
    "providers": {"openai": {"kind": "openai", "api_key": "k"}, "sim": {"kind": "sim"}},
    "models": {
        "fast": {"targets": [GPT]},
        "both": {"targets": [GPT, {"provider": "sim", "model": "echo", "context_window": 200_000}]},
        "partly": {"targets": [GPT, {"provider": "sim", "model": "echo"}]},
        "own/*": {"targets": [{"provider": "openai", "model": "*"}]},
    },
}


def window(clock: VirtualClock, model: str, **given: object) -> int | None:
    """Return the tokens of prompt and answer to which conversations with a model are trimmed."""
    stage = sessions(loaded(**CONFIG, sessions=given).settings, Bench(clock).deps)
    return stage._options.window(model)  # noqa: SLF001 - what the assembly made is what is asked about


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("fast", 128_000),
        ("both", 200_000),
        ("partly", None),
        ("own/gpt-4o", 128_000),
        ("openai/gpt-4o", 128_000),
        ("sim/echo", None),
    ],
)
def test_the_window_of_a_model(clock: VirtualClock, model: str, tokens: int | None) -> None:
    """That of the target with most; nothing is trimmed where one of them may take more than anybody knows."""
    assert window(clock, model) == tokens
    assert window(clock, model, trim="none") is None


def test_the_operator_may_set_a_bound(clock: VirtualClock) -> None:
    """It counts for every model, if it is the smaller one."""
    assert [window(clock, model, context_tokens=150_000) for model in ("fast", "both", "sim/echo")] == [
        128_000, 150_000, 150_000,
    ]  # fmt: skip


def test_a_model_that_is_not_there(clock: VirtualClock) -> None:
    """It is refused as everywhere."""
    with pytest.raises(GatewayError) as caught:
        window(clock, "nothing")

    assert caught.value.kind is UNKNOWN_MODEL

"""What `wizard serve` says when it is there."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from app.cli.banner import banner
from app.config.load import EMBEDDED, Loaded
from app.config.schema import Settings

ADDRESS = "http://127.0.0.1:8080"
BOX = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}


def shown(local_missing: str | None = None, **sections: Any) -> str:  # noqa: ANN401 - what pydantic takes
    """Return the banner of a configuration."""
    return banner(Loaded(Settings(**sections), EMBEDDED, "d"), [ADDRESS], local_missing)


def models_of(text: str) -> str:
    """Return the line of the models."""
    return next(line.split("models", 1)[1].strip() for line in text.splitlines() if " models " in line)


@pytest.mark.parametrize(
    ("sections", "models", "example"),
    [
        ({"providers": {"sim": {"kind": "sim"}}}, "sim/echo", "sim/echo"),
        ({"providers": {"sim": {"kind": "sim"}, "own": {"kind": "local"}}}, "sim/echo, own/smollm2", "own/smollm2"),
        ({"providers": {"box": {**BOX, "models": ["a", "b"]}}}, "box/a, box/b", "box/a"),
        ({"providers": {"box": BOX}}, "box/*", "provider/model"),
        ({}, "none: configure a provider", "provider/model"),
    ],
)
def test_shows_the_models_and_an_example(sections: dict[str, Any], models: str, example: str) -> None:
    """The models are those that can be called, and the command uses the best of them."""
    text = shown(**sections)

    assert models_of(text) == models
    assert f'"model":"{example}"' in text


def test_route_is_the_best_example() -> None:
    """Whoever configured a route wants to see that one."""
    route = {"targets": [{"provider": "box", "model": "m"}]}

    text = shown(providers={"box": BOX, "own": {"kind": "local"}}, models={"fast": route})

    assert models_of(text).startswith("fast, ")
    assert '"model":"fast"' in text


def test_many_models_are_counted() -> None:
    """A long list is cut to a line."""
    text = shown(providers={"box": {**BOX, "models": [f"m{number}" for number in range(20)]}})

    assert models_of(text).endswith("box/m7, and 12 more")


@pytest.mark.parametrize("name", ["it's", 'a"b', "$(date)", "back\\slash"])
def test_example_survives_odd_names(name: str) -> None:
    """A route's name is quoted so that the shell and JSON give back that very name."""
    text = shown(providers={"box": BOX}, models={name: {"targets": [{"provider": "box", "model": "m"}]}})
    words = shlex.split(text[text.index("curl ") :])

    assert msgspec.json.decode(words[-1])["model"] == name


def test_says_why_there_is_no_real_model() -> None:
    """Where the built-in model cannot run, its reason is told."""
    assert "(no built-in model: its wheels are missing)" in shown("its wheels are missing")
    assert "built-in" not in shown(None)


def test_the_example_carries_a_key_where_one_is_needed() -> None:
    """Whoever pastes the line sees what is missing, instead of a 401."""
    route = {"targets": [{"provider": "box", "model": "m"}]}
    sections: dict[str, Any] = {"providers": {"box": BOX}, "models": {"gpt-*": route, "fast": route}}

    text = shown(**sections, auth={"required": True})

    assert "authorization: Bearer YOUR_KEY" in text
    assert "YOUR_KEY" not in shown(**sections)
    assert '"model":"fast"' in text

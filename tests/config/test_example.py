"""`config.example.yaml` and `docs/configuration.md` say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from app.config.load import load
from app.config.presets import PRESETS
from app.config.schema import Settings
from app.config.shapes import leaf_locs
from tests.config.cases import refused

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
MANUAL = ROOT / "docs" / "configuration.md"
ILLUSTRATIVE: dict[str, bool | set[str]] = {
    "providers": True,
    "models": True,
    "prices": True,
    "catalogue": True,
    "redaction": {"routes"},
    "guards": {"routes"},
}


def values_at(tree: object, loc: tuple[str | int, ...]) -> list[object]:
    """Collect what stands at `loc`, with * for every key."""
    if not loc:
        return [tree]
    keys = [loc[0]] if loc[0] != "*" else list(tree) if isinstance(tree, dict) else []
    return [value for key in keys if isinstance(tree, dict) and key in tree for value in values_at(tree[key], loc[1:])]


def test_the_example_loads_in_an_empty_environment() -> None:
    """Whoever copies the example has a configuration that starts."""
    settings = load(EXAMPLE, {}).settings

    assert {"openai", "claude", "box"} == settings.providers.keys()
    assert {"fast", "big"} == settings.models.keys()


def test_the_example_shows_the_defaults() -> None:
    """Every value outside the illustrations is the default, so copying a line changes nothing."""
    shown = load(EXAMPLE, {}).settings.model_dump(exclude=ILLUSTRATIVE)

    assert shown == Settings().model_dump(exclude=ILLUSTRATIVE)


def test_the_example_has_every_setting() -> None:
    """No setting is left out, and each has a comment, where it stands first if routes repeat it."""
    text = EXAMPLE.read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    commented = set(re.findall(r"^ *#[^\n]*\n *(?:- )?([^\s:]+):", text, re.MULTILINE))
    locs = [(loc[0], *loc[3:]) if loc[1:2] == ("routes",) else loc for loc in leaf_locs(Settings)]

    missing = [loc for loc in locs if not values_at(tree, loc)]
    bare = [loc for loc in locs if str(loc[-1]) not in commented]

    assert len(locs) > 300
    assert (missing, bare) == ([], [])


def test_no_bare_on_or_off() -> None:
    """Words that YAML reads as booleans never stand bare, as a key or as a value."""
    text = re.sub(r"#.*", "", EXAMPLE.read_text(encoding="utf-8"))

    assert re.findall(r"[:\[,{]\s*(?:on|off|yes|no)\s*(?:[,}\]]|$)", text, re.MULTILINE | re.IGNORECASE) == []


def test_the_manual_lists_every_preset() -> None:
    """The table of presets has the address and the variable of each."""
    text = MANUAL.read_text(encoding="utf-8")

    for name, preset in PRESETS.items():
        variables = ", ".join(f"`{variable}`" for variable in preset.key_env) or "none"
        dialect = "OpenAI's" if preset.dialect == "openai" else "its own"
        assert f"| `{name}` | {preset.label} | `{preset.base_url}` | {dialect} | {variables} |" in text


def test_the_manual_shows_real_errors(tmp_path: Path) -> None:
    """The example of an error report is what the code prints for the file above it."""
    blocks = re.findall(r"```(yaml|text)\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    index = next(n for n, (_, body) in enumerate(blocks) if body.startswith("the configuration has"))

    printed = str(refused(tmp_path, blocks[index - 1][1])).replace(str(tmp_path / "wizard.yaml"), "config.yaml")

    assert printed == blocks[index][1].rstrip("\n")

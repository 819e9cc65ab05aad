"""The sections `passthrough` and `files`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import loaded, problem

PROVIDERS = "providers: {box: {kind: openai}}\n"


@pytest.mark.parametrize("section", ["passthrough", "files"])
def test_providers_have_to_be_there(tmp_path: Path, section: str) -> None:
    """A name that is none is found, with what may be meant."""
    found = problem(tmp_path, f"{PROVIDERS}{section}: {{enabled: true, providers: [bocks]}}")

    assert found.path == f"{section}.providers[0]"
    assert "box" in found.expected


@pytest.mark.parametrize("section", ["passthrough", "files"])
@pytest.mark.parametrize(
    "looking",
    [
        "redaction: {enabled: true}",
        "redaction: {output: {enabled: true}}",
        "redaction: {routes: {box/m: {enabled: true}}}",
        "guards: {injection: {policy: block}}",
        "guards: {routes: {box/m: {terms: {policy: block, terms: [secret]}}}}",
    ],
)
def test_ways_around_what_looks_have_to_be_meant(tmp_path: Path, section: str, looking: str) -> None:
    """Where redaction or guards are on, what they do not see has to be agreed to."""
    text = f"{PROVIDERS}{looking}\n{section}: {{enabled: true}}"
    agreed = f"{PROVIDERS}{looking}\n{section}: {{enabled: true, unguarded: true}}"

    assert problem(tmp_path, text).path == f"{section}.unguarded"
    assert loaded(tmp_path, agreed).settings.model_dump()[section]["unguarded"]


def test_without_them_nothing_has_to_be_agreed_to(tmp_path: Path) -> None:
    """Guards that are there and do nothing look at nothing."""
    text = (
        f"{PROVIDERS}guards: {{injection: {{policy: none}}}}\npassthrough: {{enabled: true}}\nfiles: {{enabled: true}}"
    )

    assert loaded(tmp_path, text).settings.passthrough.enabled

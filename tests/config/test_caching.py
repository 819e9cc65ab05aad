"""What a cache stands on has to be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import loaded, problem

ADVICE = "correct it, or remove it for the default 0.95"
SIM = "providers: {sim: {kind: sim}}\n"


@pytest.mark.parametrize(
    ("text", "path", "suggestion"),
    [
        ("cache: {enabled: true, store: redis}", "cache.store", "set redis.url, or choose another store"),
        (
            "cache: {semantic: {enabled: true}}",
            "cache.semantic.model",
            "name one, or set cache.semantic.enabled to false",
        ),
        (SIM + "cache: {semantic: {enabled: true, model: smi/x}}", "cache.semantic.model", "did you mean sim?"),
        (
            "cache: {semantic: {threshold: 0.5}}",
            "cache.semantic.threshold",
            ADVICE,
        ),
        ("cache: {scope: tema}", "cache.scope", "did you mean team?"),
        ("cache: {operations: [images]}", "cache.operations[0]", "correct it"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, path: str, suggestion: str) -> None:
    """Path and advice are named."""
    found = problem(tmp_path, text)

    assert (found.path, found.suggestion) == (path, suggestion)


@pytest.mark.parametrize("model", ["sim/embed", "vectors"])
def test_a_model_may_be_a_route(tmp_path: Path, model: str) -> None:
    """The model that makes vectors is named as callers name one."""
    route = "models: {vectors: {targets: [{provider: sim, model: embed}]}}\n"
    redis = "redis: {url: 'redis://x'}\n"
    text = f"{SIM}{route}{redis}cache: {{store: redis, semantic: {{enabled: true, model: {model}}}}}"

    assert loaded(tmp_path, text).settings.cache.semantic.model == model

"""Routes refer to providers and to each other; references that lead nowhere are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import CANARY, loaded, problem, refused

PROVIDERS = "providers: {openai: {kind: openai}, box: {kind: vllm}}\n"


def route(fallback: str) -> str:
    """Write two routes, the first of which falls back to `fallback`."""
    return f"""{PROVIDERS}
models:
  fast: {{targets: [{{provider: box, model: small}}], fallbacks: ["{fallback}"]}}
  slow: {{targets: [{{provider: box, model: large}}], fallbacks: [fast]}}
"""


@pytest.mark.parametrize("fallback", ["slow", "openai/gpt-4o", "openai:gpt-4o", "box/org/model:free"])
def test_a_fallback_is_a_route_or_a_model_of_a_provider(tmp_path: Path, fallback: str) -> None:
    """Both ways to address a model work, and routes may fall back to each other in a circle."""
    settings = loaded(tmp_path, route(fallback)).settings

    assert (fallback,) == settings.models["fast"].fallbacks


@pytest.mark.parametrize(
    ("fallback", "expected", "suggestion"),
    [
        ("fast", "another route, or provider/model", "remove it: a route cannot replace itself"),
        ("slwo", "a route (slow), or provider/model", "did you mean slow?"),
        ("other", "a route (slow), or provider/model", "add the route under models"),
        ("box/", "a route (slow), or provider/model", "add the route under models"),
        ("opnai/gpt-4o", "a configured provider (box, openai)", "did you mean openai?"),
        ("claude:opus", "a configured provider (box, openai)", "add it under providers"),
    ],
)
def test_a_fallback_that_leads_nowhere_is_a_problem(
    tmp_path: Path, fallback: str, expected: str, suggestion: str
) -> None:
    """An unknown route, an unknown provider and the route itself are refused."""
    found = problem(tmp_path, route(fallback))

    assert ("models.fast.fallbacks[0]", repr(fallback)) == (found.path, found.value)
    assert (expected, suggestion) == (found.expected, found.suggestion)


@pytest.mark.parametrize(
    ("providers", "expected", "suggestion"),
    [
        (PROVIDERS, "a configured provider (box, openai)", "did you mean openai?"),
        ("", "a configured provider (none yet)", "add it under providers"),
        (
            f"providers: {{{', '.join(f'p{n}: {{kind: sim}}' for n in range(9))}}}\n",
            "a configured provider (p0, p1, p2, p3, p4, p5, p6, p7, …)",
            "add it under providers",
        ),
    ],
)
def test_a_target_needs_a_provider(tmp_path: Path, providers: str, expected: str, suggestion: str) -> None:
    """A target whose provider is not configured is refused, with the names that are."""
    found = problem(tmp_path, f"{providers}models: {{fast: {{targets: [{{provider: opanai, model: m}}]}}}}")

    assert ("models.fast.targets[0].provider", "'opanai'") == (found.path, found.value)
    assert (expected, suggestion) == (found.expected, found.suggestion)


def test_a_key_in_place_of_a_reference_is_not_repeated(tmp_path: Path) -> None:
    """References are short names; what is long may be a key, and is cut."""
    text = f"models: {{fast: {{targets: [{{provider: {CANARY}, model: m}}], fallbacks: [{CANARY}, 'x/{CANARY}']}}}}"

    assert "CANARY" not in str(refused(tmp_path, text))


def test_a_wrong_provider_is_reported_once(tmp_path: Path) -> None:
    """A route to a provider whose own entry is wrong is not wrong itself, and neither is a route to a wrong route."""
    text = """
    providers: {box: {kind: opena}}
    models:
      fast: {targets: [{provider: box, model: m}], fallbacks: [slow]}
      slow: {targets: []}
    """

    found = refused(tmp_path, text).problems

    assert ["models.slow.targets", "providers.box.kind"] == [each.path for each in found]


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("sim", "base_url: http://x"),
        ("sim", "api_key: k"),
        ("sim", "headers: {a: b}"),
        ("local", "base_url: http://x"),
        ("local", "api_key: k"),
    ],
)
def test_what_a_kind_cannot_use_is_refused(tmp_path: Path, kind: str, setting: str) -> None:
    """A setting that would have no effect is a mistake, and not ignored."""
    name = setting.partition(":")[0]

    found = problem(tmp_path, f"providers: {{s: {{kind: {kind}, {setting}}}}}")

    assert (f"providers.s.{name}", "(set)", "remove it") == (found.path, found.value, found.suggestion)
    assert found.expected == f"no {name}: kind {kind} needs none"


def test_what_is_wrong_alone_hides_nothing_that_is_wrong_together(tmp_path: Path) -> None:
    """All that a file gets wrong is told at once: a bad number in a route leaves its references to be checked."""
    text = """
providers: {box: {kind: opnai, base_url: nowhere}}
models:
  fast: {targets: [{provider: bx, model: m, weight: -1}, {provider: box, model: m}], strategy: fst, fallbacks: [big]}
limits: [{name: a, per: globl, requests: 0}, {name: b, window_s: 9}]
"""

    paths = {found.path for found in refused(tmp_path, text).problems}

    assert paths == {
        "limits[0].per[0]",
        "limits[0].requests",
        "limits[1]",
        "models.fast.fallbacks[0]",
        "models.fast.strategy",
        "models.fast.targets[0].provider",
        "models.fast.targets[0].weight",
        "providers.box.base_url",
        "providers.box.kind",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("auth: {required: true}\nkeys: [{name: a, hash: none}]", "keys[0].hash"),
        ("sessions: {store: redis}\nredis: {url: http://there}", "redis.url"),
        ("cache: {store: redis}\nredis: {url: '${NONE}'}", "redis.url"),
        ("limits: [{name: a, requests: none}]", "limits[0].requests"),
    ],
)
def test_what_only_follows_is_not_told(tmp_path: Path, text: str, path: str) -> None:
    """There is a key, a Redis, a number: nobody is sent to add one."""
    assert problem(tmp_path, text).path == path

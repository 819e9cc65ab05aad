"""What is different between two configurations, and what of one may be seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.config.diff import changes
from app.config.schema import Settings
from app.config.showing import redacted
from app.core.configuration import Change

CANARY, OTHER_CANARY = f"sha256:{'ca' * 32}", f"sha256:{'fe' * 32}"
BOX = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-canary-1"}
FAST = {"targets": [{"provider": "box", "model": "small"}]}
BEFORE: dict[str, Any] = {"providers": {"box": BOX}, "models": {"fast": FAST}}


def made(**sections: Any) -> Settings:  # noqa: ANN401 - what pydantic takes
    """Return these sections as settings."""
    return Settings(**sections)


def differing(**after: Any) -> list[tuple[str, str | None, str | None]]:  # noqa: ANN401 - what pydantic takes
    """Return the changes from `BEFORE` to the same with these sections."""
    found = changes(made(**BEFORE), made(**{**BEFORE, **after}))
    return [(change.path, change.before, change.after) for change in found]


def test_nothing_is_different() -> None:
    """The same settings have no differences, however they are written."""
    assert differing(timeouts={"total_s": 300}, cache={}) == []


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({"timeouts": {"total_s": 9.5}}, [("timeouts.total_s", "300", "9.5")]),
        ({"server": {"watch": False}}, [("server.watch", "true", "false")]),
        ({"admission": {"max_in_flight": 3}}, [("admission.max_in_flight", "null", "3")]),
        ({"retry": {"errors": [503, "network"]}}, [("retry.errors", "null", "[503, network]")]),
        ({"sessions": {"path": ""}}, []),
        (
            {"models": {}},
            [("models.fast.targets[0].model", "small", None), ("models.fast.targets[0].provider", "box", None)],
        ),
        (
            {"models": {"fast": {**FAST, "targets": [*FAST["targets"], {"provider": "box", "model": "big"}]}}},
            [("models.fast.targets[1].model", None, "big"), ("models.fast.targets[1].provider", None, "box")],
        ),
    ],
)
def test_differences(after: dict[str, Any], found: list[tuple[str, str | None, str | None]]) -> None:
    """Each setting that differs is named once; of what came or went, what was not left at its default."""
    assert differing(**after) == found


def test_secrets_are_told_but_not_shown() -> None:
    """A new key is a difference; neither key is in it. The same goes for headers and for passwords in addresses."""
    other = {**BOX, "api_key": "sk-canary-2", "headers": {"x-tenant": "canary-3"}}

    found = differing(providers={"box": other}, redis={"url": "redis://user:canary-4@there:6379"})

    assert [path for path, _, _ in found] == ["providers.box.api_key", "providers.box.headers.x-tenant", "redis.url"]
    assert "canary" not in str(found)


def test_named_entries_are_found_by_their_names() -> None:
    """An entry that is put in front of others moves them, and changes none of them."""
    one, other = {"name": "one", "hash": CANARY}, {"name": "other", "hash": OTHER_CANARY, "team": "a"}
    before, after = made(keys=(one,)), made(keys=(other, one))

    found = changes(before, after)

    assert [(change.path, change.after) for change in found] == [
        ("keys.other.hash", "(hidden)"),
        ("keys.other.name", "other"),
        ("keys.other.team", "a"),
    ]


def test_what_waits_for_a_restart_is_marked() -> None:
    """A running gateway cannot move to another port."""
    found = changes(made(), made(server={"port": 9000, "drain_s": 5}))

    assert found == (
        Change("server.drain_s", "30", "5", restart=False),
        Change("server.port", "8080", "9000", restart=True),
    )


def test_what_is_shown_has_every_setting_and_no_secret() -> None:
    """The redacted settings are JSON, whole, and hide keys, headers, passwords and hashes."""
    settings = made(
        providers={"box": {**BOX, "headers": {"x-tenant": "canary-3"}, "api_keys": ()}},
        models={"fast": FAST},
        keys=({"name": "a", "hash": CANARY},),
        redis={"url": "redis://user:canary-4@there:6379"},
        admin={"token": "canary-5"},
    )

    shown = redacted(settings)

    text = msgspec.json.encode(shown).decode()
    assert "canary" not in text
    assert CANARY not in text
    assert set(shown) == set(Settings.model_fields)
    assert shown["providers"]["box"]["api_key"] == "(hidden)"  # type: ignore[index] # JSON
    assert shown["redis"]["fail"]["keys"] == "local"  # type: ignore[index] # JSON
    assert shown["timeouts"]["total_s"] == 300  # type: ignore[index] # JSON
    assert shown["models"]["fast"]["targets"][0]["model"] == "small"  # type: ignore[index] # JSON


def test_an_address_is_shown_without_its_password() -> None:
    """Outside the places that are hidden as a whole, too, nobody's password is shown."""
    settings = made(usage={"path": "https://user:canary@files/usage"})

    assert redacted(settings)["usage"]["path"] == "https://***@files/usage"  # type: ignore[index] # JSON

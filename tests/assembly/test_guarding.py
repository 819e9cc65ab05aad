"""Redaction and guards as the configuration puts them together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.assembly.guards import guards, mark_prompt
from app.assembly.redaction import redact, redaction_rules
from app.core.errors import GatewayError
from app.core.guards.spotlight import Spotlight
from app.core.model import Completion
from app.core.signals import Redacted
from app.stages.guards import NOTE, Guards, Rules
from app.stages.mark_prompt import PromptMarks
from app.stages.redact import Redact
from tests.assembly.support import Bench, call, loaded
from tests.support.calls import text_of
from tests.support.planted_guards import plant_guards
from tests.support.virtual_time import VirtualClock

MAIL = [{"role": "user", "content": "mail a@b.com about TCK-12"}]


def stages(clock: VirtualClock, **sections: Any) -> tuple[list[Guards], list[Redact]]:  # noqa: ANN401 - what pydantic takes
    """Return the two stages of a configuration."""
    settings, deps = loaded(**sections).settings, Bench(clock).deps
    return guards(settings, deps), redact(settings, deps)


def rules(clock: VirtualClock, model: str = "x", **sections: Any) -> Rules:  # noqa: ANN401
    """Return the rules of guards for a model."""
    ((stage,), _) = stages(clock, **sections)
    found = stage._rules.of(model)  # noqa: SLF001 - what the assembly made is what is asked about
    assert found is not None
    return found


def marks(clock: VirtualClock, model: str = "x", **sections: Any) -> PromptMarks | None:  # noqa: ANN401
    """Return how prompts for a model are marked."""
    found = mark_prompt(loaded(**sections).settings, Bench(clock).deps)
    return found[0]._marks.of(model) if found else None  # noqa: SLF001 - as above


def test_by_default_there_is_neither(clock: VirtualClock) -> None:
    """A stage that is switched off is absent."""
    assert stages(clock) == ([], [])
    assert stages(clock, guards={"routes": {"sim/echo": {"streams": "hold"}}}) == ([], [])
    assert marks(clock) is None


@pytest.mark.parametrize(
    "redaction",
    [
        {"enabled": True},
        {"output": {"enabled": True}},
        {"routes": {"sim/echo": {"enabled": True}}},
        {"routes": {"sim/echo": {"output": {"enabled": True}}}},
    ],
)
def test_redaction_is_there_if_any_route_wants_it(clock: VirtualClock, redaction: dict[str, object]) -> None:
    """On either side, and for one route alone."""
    ((), (stage,)) = stages(clock, redaction=redaction)

    assert isinstance(stage, Redact)


async def test_redaction_through_the_pipeline(clock: VirtualClock) -> None:
    """Detectors, patterns, actions and routes of the configuration, on the way to a provider and back."""
    bench = Bench(clock)
    gateway = bench.gateway(
        redaction={
            "enabled": True,
            "patterns": [{"name": "ticket", "pattern": "TCK-[0-9]+"}],
            "routes": {"sim/echo?id=mask": {"action": "mask"}, "sim/echo?id=open": {"enabled": False}},
        }
    )

    texts = [
        await text_of(await gateway.handler(call(model, messages=MAIL)))
        for model in ("sim/echo", "sim/echo?id=mask", "sim/echo?id=open")
    ]

    assert texts == ["mail a@b.com about TCK-12", "mail [EMAIL] about [TICKET]", "mail a@b.com about TCK-12"]
    assert [signal.action for signal in bench.told if isinstance(signal, Redacted)] == ["tokenize"] * 2 + ["mask"] * 2


async def test_hashes_are_keyed(clock: VirtualClock) -> None:
    """By the configured key, so that processes agree, or by one that this process made up."""
    configured = {"enabled": True, "action": "hash", "hash_key": "k"}
    gateways = [
        Bench(clock).gateway(redaction=given) for given in (configured, configured, {**configured, "hash_key": ""})
    ]

    said = [await text_of(await gateway.handler(call("sim/echo", messages=MAIL))) for gateway in gateways]

    assert said[0] == said[1] != said[2]
    assert said[0].startswith("mail [EMAIL:")


def test_presidio_is_asked_where_prompts_are_redacted(clock: VirtualClock) -> None:
    """And only there."""
    given = {
        "enabled": True,
        "presidio": {"url": "http://127.0.0.1:9"},
        "routes": {"a/b": {"enabled": False, "output": {"enabled": True}}},
    }
    settings = loaded(redaction=given, providers={"a": {"kind": "sim"}}).settings

    found = redaction_rules(settings, Bench(clock).deps)

    assert found is not None
    both = [found.of("x"), found.of("a/b")]
    assert [each is not None and each.outside is not None for each in both] == [True, False]


EVERYTHING: dict[str, Any] = {
    "injection": {"policy": "block", "classifier": {"url": "http://127.0.0.1:9", "api_key": "k"}},
    "spotlight": "mark",
    "tripwire": {"policy": "block"},
    "tools": {"policy": "block", "deny": ["rm"]},
    "terms": {"policy": "block", "terms": ["falcon"], "prompts": True},
    "length": {"policy": "block"},
    "output_schema": {"policy": "flag", "retries": 2},
    "refusal": {"policy": "observe", "retries": 1},
    "leak": {"policy": "flag"},
    "moderation": {"policy": "block", "model": "sim/echo", "answers": True},
    "streams": "hold",
}


def test_every_guard_is_built(clock: VirtualClock) -> None:
    """Those that need not ask anybody come first."""
    found = rules(clock, guards=EVERYTHING)

    assert [rule.guard.name for rule in found.prompts] == ["tools", "terms", "injection", "injection", "moderation"]
    assert [rule.guard.name for rule in found.answers] == [
        "tripwire", "tools", "length", "terms", "leak", "refusal", "schema", "moderation",
    ]  # fmt: skip
    assert [guard.name for guard in found.sharp] == ["tripwire", "length", "terms"]
    assert [rule.retries for rule in found.answers if rule.retries] == [1, 2]
    assert found.hold


def test_a_route_replaces_sections(clock: VirtualClock) -> None:
    """What it does not mention is as everywhere."""
    given = {
        **EVERYTHING,
        "routes": {"fast": {"injection": {"policy": "none"}, "tripwire": {"policy": "none"}, "streams": "watch"}},
    }
    models = {"fast": {"targets": [{"provider": "sim", "model": "echo"}]}}

    found, marked = rules(clock, "fast", guards=given, models=models), marks(clock, "fast", guards=given, models=models)

    assert [rule.guard.name for rule in found.prompts] == ["tools", "terms", "moderation"]
    assert (found.hold, marked is not None and marked.tripwire) == (False, None)


@pytest.mark.parametrize("given", [{"spotlight": "mark"}, {"tripwire": {"policy": "observe"}}, EVERYTHING])
def test_prompts_are_marked_where_that_is_wanted(clock: VirtualClock, given: dict[str, object]) -> None:
    """By one of the two or by both, and not in a route that wants neither."""
    neither = {"routes": {"sim/echo": {"spotlight": "none", "tripwire": {"policy": "none"}}}}

    found = marks(clock, guards={**given, **neither})

    assert found is not None
    assert (found.spotlight is Spotlight.MARK) == ("spotlight" in given)
    assert (found.tripwire is not None) == ("tripwire" in given)
    assert marks(clock, "sim/echo", guards={**given, **neither}) is None


async def test_guards_through_the_pipeline(clock: VirtualClock) -> None:
    """They see what the caller says, before it is redacted, and what the caller is told, after."""
    gateway = Bench(clock).gateway(
        redaction={"enabled": True},
        guards={"terms": {"policy": "flag", "terms": ["a@b.com"], "prompts": True}, "leak": {"policy": "block"}},
    )
    made = call("sim/echo", messages=MAIL)

    reply = await gateway.handler(made)

    assert isinstance(reply.body, Completion)
    assert made.journal.notes == {NOTE: "terms"}
    assert msgspec.json.decode(reply.body.raw)["choices"][0]["message"]["content"] == MAIL[0]["content"]


async def test_the_moderation_model_sees_placeholders(clock: VirtualClock) -> None:
    """What a guard asks passes through the redaction like everything else; an answer that is none refuses the call."""
    bench = Bench(clock)
    providers = {"mod": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}}
    gateway = bench.gateway(
        redaction={"enabled": True}, guards={"moderation": {"policy": "block", "model": "mod/m"}}, providers=providers
    )

    with pytest.raises(GatewayError):
        await gateway.handler(call("sim/echo", messages=MAIL))

    assert all(b"a@b.com" not in request.body for request in bench.real.asked)


async def test_guards_of_other_packages(clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made with their options, and judge like the gateway's own; with policy none they do not."""
    plant_guards(tmp_path, monkeypatch)
    custom = {"name": "shouting", "policy": "flag", "options": {"least": 3}}
    gateway = Bench(clock).gateway(guards={"custom": [custom, {**custom, "policy": "none"}]})
    made = call("sim/echo", messages=[{"role": "user", "content": "HEY"}])

    await gateway.handler(made)

    assert made.journal.notes == {NOTE: "shouting"}

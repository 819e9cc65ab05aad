"""What is said of a call is what would happen to it, and saying it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.call import CallOptions, Target
from app.core.circuits import CircuitPolicy, Verdict
from app.core.explain.calls import LimitLevel, LimitsSection, RedactionSection, RequestSection
from app.core.explain.port import Explained, explain
from app.core.explain.targets import PriceSection, RouteSection
from app.core.gateway import Gateway
from tests.assembly.support import Bench, ask, call
from tests.support.calls import text_of
from tests.support.virtual_time import VirtualClock

FAST = {
    "targets": [{"provider": "sim", "model": name} for name in ("echo?id=a", "echo?id=b", "echo?id=c")],
    "strategy": "round_robin",
    "fallbacks": ["big"],
}
BIG = {"targets": [{"provider": "box", "model": "huge"}]}
BOX = {"box": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.fixture
def bench(clock: VirtualClock) -> Bench:
    """Return what gateways are built from."""
    return Bench(clock)


def routed(bench: Bench, **more: Any) -> Gateway:  # noqa: ANN401 - sections
    """Build a gateway with a route that takes turns, and one behind it."""
    return bench.gateway(providers=BOX, models={"fast": FAST, "big": BIG}, **more)


async def said(
    gateway: Gateway, model: str = "fast", options: CallOptions | None = None, **fields: object
) -> Explained:
    """Explain a call."""
    return await explain(call(model, options=options, **fields), gateway.explainers)


def route_of(explained: Explained) -> RouteSection:
    """Return the section about the route."""
    section = explained.sections["route"]
    assert isinstance(section, RouteSection)
    return section


def price_of(explained: Explained) -> PriceSection:
    """Return the section about money."""
    section = explained.sections["price"]
    assert isinstance(section, PriceSection)
    return section


def order(explained: Explained) -> list[str]:
    """Return the targets as they would be tried."""
    return [target.target for step in route_of(explained).steps for target in step.targets]


async def test_the_sections_follow_the_pipeline(bench: Bench) -> None:
    """What was understood comes first, and money last; nothing is refused."""
    explained = await said(routed(bench))

    assert list(explained.sections) == ["request", "route", "price"]
    assert explained.refusal is None
    assert (bench.real.asked, bench.told) == ([], [])


async def test_what_was_understood(bench: Bench) -> None:
    """Estimates, needs and the time that is left for everything."""
    explained = await said(routed(bench), stream=True, max_tokens=7, tools=TOOLS)

    section = explained.sections["request"]
    assert isinstance(section, RequestSection)
    assert (section.model, section.operation, section.stream, section.answer_tokens) == ("fast", "chat", True, 7)
    assert (section.needs, section.priority, section.timeout_s) == (("tools",), "normal", 300.0)


async def test_the_order_is_that_of_the_next_call(bench: Bench) -> None:
    """Asking takes no turn: however often it is explained, the next call goes where was said."""
    gateway = routed(bench)
    await text_of(await ask(gateway, "fast"))

    first, again = await said(gateway), await said(gateway)
    reply = call("fast")
    await gateway.handler(reply)

    assert order(first) == order(again) == ["sim/echo?id=b", "sim/echo?id=c", "sim/echo?id=a", "box/huge"]
    assert reply.journal.target == Target("sim", "echo?id=b")


async def test_steps_tell_how_they_choose(bench: Bench) -> None:
    """Each route with its strategy, positions counted through, and what leads from one target to the next."""
    sticky = {**FAST, "affinity": "user", "strategy": "weighted"}
    gateway = bench.gateway(providers=BOX, models={"fast": sticky, "big": BIG}, retry={"max_attempts": 4})

    section = route_of(await said(gateway))

    assert [(step.route, step.strategy) for step in section.steps] == [
        ("fast", "weighted, affinity by user"),
        ("big", "sequential"),
    ]
    assert [target.position for step in section.steps for target in step.targets] == [0, 1, 2, 3]
    assert {target.tries for step in section.steps for target in step.targets} == {4}
    assert "timeout" in section.triggers


async def test_a_direct_name(bench: Bench) -> None:
    """A target that was named directly has no strategy and nothing behind it."""
    section = route_of(await said(routed(bench), "box/any"))

    assert [(step.route, step.strategy, [target.target for target in step.targets]) for step in section.steps] == [
        (None, "direct", ["box/any"])
    ]


@pytest.mark.parametrize(
    ("options", "targets", "tries", "circuit"),
    [
        (CallOptions(fallback=False), 1, 3, "closed"),
        (CallOptions(retry=False), 4, 1, "closed"),
        (CallOptions(max_attempts=7), 4, 7, "closed"),
        (CallOptions(circuit_breaker=False), 4, 3, "off"),
    ],
)
async def test_wishes_count(bench: Bench, options: CallOptions, targets: int, tries: int, circuit: str) -> None:
    """What the caller asked to be done differently is in what would happen."""
    explained = await said(routed(bench), options=options)

    found = [target for step in route_of(explained).steps for target in step.targets]
    assert (len(found), {each.tries for each in found}, {each.circuit for each in found}) == (
        targets,
        {tries},
        {circuit},
    )
    assert bool(route_of(explained).triggers) == options.fallback


async def test_targets_that_cannot_serve_it(bench: Bench) -> None:
    """They are passed by, with the reason; a step without an able target stays in sight, but is not the first."""
    dumb = {"targets": [{"provider": "sim", "model": "old", "capabilities": []}], "fallbacks": ["big"]}
    gateway = bench.gateway(providers=BOX, models={"fast": dumb, "big": BIG})

    explained = await said(gateway, tools=TOOLS)
    alone = await said(gateway, options=CallOptions(fallback=False), tools=TOOLS)

    first, second = route_of(explained).steps
    assert [(each.target, each.lacks) for each in first.passed_by] == [("sim/old", ("tools",))]
    assert (first.targets, [target.target for target in second.targets]) == ((), ["box/huge"])
    assert order(alone) == ["box/huge"]


async def test_circuits_as_they_are(bench: Bench) -> None:
    """A target that rests is where it would be tried, and marked."""
    gateway = routed(bench)
    policy = CircuitPolicy(1, 60.0, 0.0, 30.0, 300.0, 1)
    ticket = await bench.deps.circuits.admit(Target("sim", "echo?id=a"), policy)
    bench.deps.circuits.report(ticket, Verdict.FAILED, 0.0)

    section = route_of(await said(gateway))

    assert [target.circuit for target in section.steps[0].targets] == ["open", "closed", "closed"]


async def test_without_circuits(bench: Bench) -> None:
    """Where there are none, none is shown."""
    section = route_of(await said(routed(bench, circuit_breaker={"enabled": False})))

    assert {target.circuit for target in section.steps[0].targets} == {"off"}


@pytest.mark.parametrize(
    ("model", "section", "code"), [("", "request", "invalid_request"), ("fats", "route", "unknown_model")]
)
async def test_where_a_call_would_end(bench: Bench, model: str, section: str, code: str) -> None:
    """A refusal is told with the section that would refuse, and the sections behind it are not asked."""
    explained = await said(routed(bench), model)

    assert explained.refusal is not None
    assert (explained.refusal.section, explained.refusal.code) == (section, code)
    assert explained.refusal.suggestion
    assert "price" not in explained.sections


async def test_prices_and_budgets(bench: Bench) -> None:
    """The most it can cost at each target, and whether the budgets of the first leave room for that."""
    gateway = bench.gateway(
        providers=BOX,
        models={
            "fast": {
                "targets": [{"provider": "box", "model": "dear"}, {"provider": "sim", "model": "echo"}, *BIG["targets"]]
            }
        },
        prices={"box/dear": {"input": 1_000, "output": 1_000}},
        budgets=[{"name": "all", "usd": 0.01}, {"name": "soft", "usd": 100, "hard": False}],
    )

    section = price_of(await said(gateway, max_tokens=100))

    dear, free, unknown = section.targets
    assert dear.at_most_usd is not None
    assert dear.at_most_usd > 0.1
    assert (free.at_most_usd, unknown.at_most_usd) == (0.0, None)
    assert [(each.name, each.hard, each.has_room) for each in section.budgets] == [
        ("all", True, False),
        ("soft", False, True),
    ]


async def test_a_price_that_nobody_knows_is_held_on_no_budget(bench: Bench) -> None:
    """Nothing is made up: without a price there is no amount to compare."""
    gateway = routed(bench, budgets=[{"name": "all", "usd": 1}])

    section = price_of(await said(gateway, "box/any"))

    assert (section.targets[0].at_most_usd, section.budgets) == (None, ())


async def test_without_budgets(bench: Bench) -> None:
    """A known price and no budget is a price."""
    gateway = routed(bench, prices={"box/huge": {"input": 1, "output": 1}})

    section = price_of(await said(gateway, "big"))

    assert section.targets[0].at_most_usd
    assert section.budgets == ()


LIMITS = [
    {"name": "all", "per": "global", "requests": 2, "window_s": 60},
    {"name": "words", "per": "global", "tokens": 50, "window_s": 60, "shadow": True},
    {"name": "box", "per": "provider", "requests": 5, "window_s": 60},
]


def levels(explained: Explained, section: str) -> list[tuple[str, str, int, int, bool]]:
    """Return what was said of the limits."""
    found = explained.sections[section]
    assert isinstance(found, LimitsSection)
    return [(each.name, each.measure, each.asks, each.remaining, each.has_room) for each in found.limits]


async def test_limits_as_they_stand(bench: Bench) -> None:
    """What a call would ask for, and what is left; asking takes nothing. Limits of targets stand behind the route."""
    gateway = routed(bench, limits=LIMITS)
    fresh = await said(gateway, max_tokens=100)
    await text_of(await ask(gateway, "fast"))
    await text_of(await ask(gateway, "fast"))

    spent = await said(gateway, max_tokens=100)

    assert list(fresh.sections) == ["request", "limits", "route", "target_limits", "price"]
    assert levels(fresh, "limits")[0] == ("all", "requests", 1, 2, True)
    assert levels(fresh, "limits")[1][:2] == ("words", "tokens")
    assert not levels(fresh, "limits")[1][4]
    assert levels(fresh, "target_limits") == [("box", "requests", 1, 5, True)]
    assert levels(spent, "limits")[0] == ("all", "requests", 1, 0, False)


async def test_the_last_room_is_room(bench: Bench) -> None:
    """What asks for exactly what is left fits; a limit also says how large it is, and if it refuses at all."""
    gateway = routed(bench, limits=LIMITS)
    await text_of(await ask(gateway, "fast"))

    explained = await said(gateway, max_tokens=100)

    found = explained.sections["limits"]
    assert isinstance(found, LimitsSection)
    assert found.limits[0] == LimitLevel("all", ("global",), "requests", 1, 1, 2, has_room=True, shadow=False)
    assert (found.limits[1].most, found.limits[1].has_room, found.limits[1].shadow) == (50, False, True)


async def test_without_limits_there_is_no_word_of_them(bench: Bench) -> None:
    """Who meets no rule has no section."""
    explained = await said(routed(bench))

    assert not {"limits", "target_limits"} & explained.sections.keys()


async def test_redaction_names_places_and_not_values(bench: Bench) -> None:
    """Field, detector and what becomes of the find; a prompt without any has no section."""
    gateway = routed(bench, redaction={"enabled": True, "detectors": ["email"]})
    personal = [{"role": "user", "content": "write to canary@example.com"}]

    found, clean = await said(gateway, messages=personal), await said(gateway)

    section = found.sections["redaction"]
    assert isinstance(section, RedactionSection)
    assert [(find.detector, find.action.value, find.count) for find in section.finds] == [("email", "tokenize", 1)]
    assert "canary" not in str(found)
    assert "redaction" not in clean.sections


async def test_what_must_not_pass_ends_the_call(bench: Bench) -> None:
    """A find that is blocked is the refusal that the call would get."""
    gateway = routed(bench, redaction={"enabled": True, "detectors": ["email"], "actions": {"email": "block"}})

    explained = await said(gateway, messages=[{"role": "user", "content": "write to canary@example.com"}])

    assert explained.refusal is not None
    assert (explained.refusal.section, explained.refusal.code) == ("redaction", "content_blocked")

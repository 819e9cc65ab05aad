"""Every setting arrives where it has its effect, and the stages stand in their order."""

from __future__ import annotations

from typing import Any

import pytest

from app import __version__
from app.assembly import attempt_stages, call_stages
from app.config.schema import Settings
from app.core.call import CallOptions, Target
from app.core.errors import GatewayError
from app.core.model import Completion
from app.core.signals import CallEnded, CallStarted, FellBack, HedgeEnded, RetryScheduled
from app.core.stream import EventStream
from tests.assembly.support import ANSWER, Bench, ask, call
from tests.support.calls import text_of
from tests.support.virtual_time import VirtualClock

BOX = {"kind": "openai", "base_url": "http://box.test/v1"}


@pytest.fixture
def bench(clock: VirtualClock) -> Bench:
    """Return what gateways are built from."""
    return Bench(clock)


def route(*models: str, fallbacks: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a route over models of `sim`."""
    return {"targets": [{"provider": "sim", "model": model} for model in models], "fallbacks": fallbacks}


def test_order_of_the_stages(bench: Bench) -> None:
    """The order is the contract's: record, total timeout, validate, then for each target the rest."""
    settings = Settings()

    once = [type(stage).__name__ for stage in call_stages(settings, bench.deps)]
    each = [type(stage).__name__ for stage in attempt_stages(settings, bench.deps)]

    assert once == ["Record", "TotalTimeout", "Validate", "KeepTurn", "Idempotency", "Sessions"]
    assert each == ["CountTokens", "Retry", "Breaker", "Spend", "Measure", "AttemptTimeout"]


async def test_nothing_is_opened(bench: Bench) -> None:
    """Building a gateway asks nobody anything."""
    bench.gateway(providers={"box": BOX, "own": {"kind": "local"}})

    assert (bench.real.asked, bench.local.asked, bench.told) == ([], [], [])


async def test_real_provider(bench: Bench) -> None:
    """A provider is asked at its address, with its key and its headers, for a plain answer."""
    headers = {"X-Team": "a", "User-Agent": "ours"}
    gateway = bench.gateway(providers={"box": {**BOX, "api_key": "sk-1", "headers": headers}})

    reply = await ask(gateway, "box/small")

    (request,) = bench.real.asked
    assert isinstance(reply.body, Completion)
    assert reply.body.raw == ANSWER
    assert (request.method, request.url, request.connect_s) == ("POST", "http://box.test/v1/chat/completions", 5)
    sent = dict(request.headers)
    assert sent == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-1",
        "user-agent": "ours",
        "x-team": "a",
    }


async def test_provider_without_a_key(bench: Bench) -> None:
    """A provider without a key is sent none, and by default the gateway says what it is."""
    gateway = bench.gateway(providers={"box": BOX})

    await ask(gateway, "box/small")

    headers = dict(bench.real.asked[0].headers)
    assert "authorization" not in headers
    assert headers["user-agent"] == f"wizard/{__version__}"


async def test_preset_has_its_address(bench: Bench) -> None:
    """A provider known by name needs no address."""
    gateway = bench.gateway(providers={"groq": {"kind": "groq", "api_key": "k"}})

    await ask(gateway, "groq/small")

    assert bench.real.asked[0].url == "https://api.groq.com/openai/v1/chat/completions"


async def test_local_provider(bench: Bench) -> None:
    """The built-in model is reached through its own client and listed under its name."""
    gateway = bench.gateway(providers={"own": {"kind": "local"}})

    await ask(gateway, "own/smollm2")

    assert (len(bench.local.asked), len(bench.real.asked)) == (1, 0)
    assert "own/smollm2" in [listed.id for listed in gateway.routing.listed()]


async def test_scripted_provider(bench: Bench) -> None:
    """The scripted provider answers inside the process."""
    assert await text_of(await ask(bench.gateway(), "sim/echo")) == "a b c"
    assert bench.real.asked == []


async def test_connect_time_reaches_the_client(bench: Bench) -> None:
    """`timeouts.connect_s` bounds connecting."""
    gateway = bench.gateway(providers={"box": BOX}, timeouts={"connect_s": 1.5})

    await ask(gateway, "box/small")

    assert bench.real.asked[0].connect_s == 1.5


async def test_routes_and_fallbacks(bench: Bench) -> None:
    """A route's targets come first, then its fallbacks, whether those are routes or `provider/model`."""
    models = {"fast": route("fail", "fail?id=2", fallbacks=("big", "sim/echo")), "big": route("fail?id=3")}
    gateway = bench.gateway(models=models, retry={"max_attempts": 1})

    reply = await ask(gateway, "fast")

    moves = [signal.onward for signal in bench.told if isinstance(signal, FellBack)]
    assert await text_of(reply) == "a b c"
    assert moves == ["sim/fail?id=2", "sim/fail?id=3", "sim/echo"]


async def test_caller_may_refuse_fallbacks(bench: Bench) -> None:
    """A call that wants no fallback has one target."""
    gateway = bench.gateway(models={"fast": route("fail", "echo")}, retry={"max_attempts": 1})

    with pytest.raises(GatewayError):
        await ask(gateway, "fast", options=CallOptions(fallback=False))

    assert not [signal for signal in bench.told if isinstance(signal, FellBack)]


@pytest.mark.parametrize("stream", [False, True])
async def test_hedge_settings(bench: Bench, *, stream: bool) -> None:
    """`hedge` of a route decides whether, when and how often a second target is asked; nothing of the first is left."""
    hedge = {"enabled": True, "percentile": 0.5, "min_s": 1, "max_s": 2, "budget_ratio": 0.5}
    slow, quick = "echo?first_token_s=9", "echo?id=quick"
    models = {"fast": {**route(slow, quick), "hedge": hedge}, "slow": route(slow, quick)}
    gateway = bench.gateway(models=models)
    took = []

    for model in ("slow", "fast", "fast"):
        asked_at = bench.clock.now()
        await text_of(await ask(gateway, model, stream=stream))
        took.append(bench.clock.now() - asked_at)

    assert took == [9.0, 9.0, 2.0]
    assert [signal for signal in bench.told if isinstance(signal, HedgeEnded)] == [
        HedgeEnded("req_1", f"sim/{slow}", f"sim/{quick}", "won")
    ]
    assert (bench.sim.open_replies, bench.sim.left_early) == (0, 1)


async def test_triggers(bench: Bench) -> None:
    """`fallback.triggers` decides which failures move a call on."""
    gateway = bench.gateway(models={"fast": route("fail", "echo")}, fallback={"triggers": ["timeout"]})

    with pytest.raises(GatewayError) as raised:
        await ask(gateway, "fast")

    assert raised.value.kind.code == "target_failed"


async def test_retry_settings(bench: Bench, clock: VirtualClock) -> None:
    """`retry` decides how often and after which pauses a target is tried again."""
    settings = {"max_attempts": 4, "base_s": 1, "multiplier": 3, "max_s": 5, "jitter": 0.5}
    gateway = bench.gateway(retry=settings)

    with pytest.raises(GatewayError):
        await ask(gateway, "sim/fail")

    assert clock.slept == [1.0, 3.0, 5.0]  # chance 0.5 is the middle of the jitter


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"failure_threshold": 2}, ["target_failed", "target_failed", "circuit_open"]),
        ({"failure_threshold": 2, "enabled": False}, ["target_failed"] * 3),
    ],
)
async def test_circuit_breaker_settings(bench: Bench, settings: dict[str, object], said: list[str]) -> None:
    """`circuit_breaker` decides when a target is left alone, and whether at all."""
    gateway = bench.gateway(retry={"max_attempts": 1}, circuit_breaker=settings)
    codes = []

    for _ in range(3):
        with pytest.raises(GatewayError) as raised:
            await ask(gateway, "sim/fail")
        codes.append(raised.value.kind.code)

    assert said == codes


async def test_retry_budget(bench: Bench) -> None:
    """`retry.budget_*` caps the retries of all calls together."""
    retry = {"budget_ratio": 0.5, "budget_floor_per_s": 0, "base_s": 0}
    gateway = bench.gateway(retry=retry, circuit_breaker={"enabled": False})

    for _ in range(8):
        with pytest.raises(GatewayError):
            await ask(gateway, "sim/fail")

    assert len([signal for signal in bench.told if isinstance(signal, RetryScheduled)]) == 4


@pytest.mark.parametrize(
    ("section", "settings", "fields"),
    [
        ("validation", {"max_messages": 1}, {"messages": [{"role": "user", "content": "x"}] * 2}),
        ("validation", {"max_prompt_chars": 4}, {}),
        ("validation", {"max_json_depth": 4}, {"x": [[[[[]]]]]}),
        ("validation", {}, {"messages": [{"role": "user", "content": "\x00"}]}),
    ],
)
async def test_validation_settings(
    bench: Bench, section: str, settings: dict[str, Any], fields: dict[str, Any]
) -> None:
    """Each bound of `validation` is in force, and a refused call never reaches a provider."""
    gateway = bench.gateway(**{section: settings})

    with pytest.raises(GatewayError) as raised:
        await ask(gateway, "sim/echo", **fields)

    assert raised.value.kind.code == "invalid_request"
    assert [type(signal) for signal in bench.told] == [CallStarted, CallEnded]


async def test_control_characters_may_be_allowed(bench: Bench) -> None:
    """`validation.allow_control_chars` lets them pass."""
    gateway = bench.gateway(validation={"allow_control_chars": True})

    reply = await ask(gateway, "sim/echo", messages=[{"role": "user", "content": "\x1b[1m"}])

    assert await text_of(reply) == "\x1b[1m"


@pytest.mark.parametrize(
    ("timeouts", "model", "code", "after_s"),
    [
        ({"first_token_s": 7}, "sim/echo?first_token_s=60", "timeout_first_token", 7.0),
        ({"first_token_s": 7}, "sim/echo?hang=1", "timeout_first_token", 7.0),
        ({"idle_s": 3}, "sim/echo?stall_after=0", "timeout_idle", 3.0),
    ],
)
async def test_timeout_settings(
    bench: Bench, clock: VirtualClock, timeouts: dict[str, Any], model: str, code: str, after_s: float
) -> None:
    """Each of `timeouts` is in force at its place."""
    gateway = bench.gateway(timeouts=timeouts, retry={"max_attempts": 1})
    begun = clock.now()

    with pytest.raises(GatewayError) as raised:
        await ask(gateway, model, stream=True)

    assert (raised.value.kind.code, clock.now() - begun) == (code, after_s)


@pytest.mark.parametrize(("commit", "begins_after_s"), [("any_event", 0.0), ("visible", 1.0), ("answer", 2.0)])
async def test_commit_rule(bench: Bench, clock: VirtualClock, commit: str, begins_after_s: float) -> None:
    """`streaming.commit` says which event begins an answer: the role, a thought, or the first word."""
    gateway = bench.gateway(streaming={"commit": commit})
    begun = clock.now()

    reply = await ask(gateway, "sim/echo?reasoning=hm&head_s=0&first_token_s=1&tokens_per_s=1", stream=True)

    assert isinstance(reply.body, EventStream)
    assert clock.now() - begun == begins_after_s
    await reply.body.aclose()


async def test_held_bytes_are_bounded(bench: Bench, clock: VirtualClock) -> None:
    """`streaming.buffer_bytes` bounds what is held back before the commit."""
    gateway = bench.gateway(streaming={"commit": "answer", "buffer_bytes": 2048})
    begun = clock.now()
    thoughts = "%20".join(["hm"] * 50)

    reply = await ask(gateway, f"sim/echo?reasoning={thoughts}&tokens_per_s=1", stream=True)

    assert isinstance(reply.body, EventStream)
    assert 0 < clock.now() - begun < 50  # the answer itself begins after 50
    await reply.body.aclose()


def test_edge_settings(bench: Bench) -> None:
    """What the edge needs is handed to it, with the digest of the configuration."""
    gateway = bench.gateway(server={"body_max_bytes": 77_000}, timeouts={"total_s": 5}, streaming={"keep_alive_s": 2})

    edge = gateway.edge
    assert (edge.body_max_bytes, edge.total_s, edge.keep_alive_s) == (77_000, 5, 2)
    assert gateway.digest.startswith("digest of")


@pytest.mark.parametrize(
    ("sections", "model"),
    [
        ({}, None),
        ({"providers": {"box": BOX}}, "box/omni-moderation-latest"),
        ({"providers": {"box": BOX, "own": {"kind": "openai"}}}, "own/omni-moderation-latest"),
        ({"providers": {"small": {"kind": "mistral"}, "own": {"kind": "openai"}}}, "small/mistral-moderation-latest"),
        ({"providers": {"box": BOX}, "models": {"omni-moderation-latest": route("echo")}}, "omni-moderation-latest"),
        ({"models": {"omni-*": route("echo")}}, "omni-moderation-latest"),
        ({"models": {"*": route("echo")}}, "omni-moderation-latest"),
    ],
)
def test_who_moderates_unasked(bench: Bench, sections: dict[str, Any], model: str | None) -> None:
    """The route of that name, else a provider's own model, those at their usual address first; never a scripted one."""
    gateway = bench.gateway(**sections)

    assert gateway.edge.moderation_model == model


def test_listed_models(bench: Bench) -> None:
    """Routes are listed first, then the models that are known of each provider, then those that only a route names."""
    gateway = bench.gateway(models={"fast": route("fail")}, providers={"box": {**BOX, "models": ["a", "b/c"]}})

    listed = [(listed.id, listed.owner) for listed in gateway.routing.listed()]

    assert listed == [
        ("fast", "wizard"), ("sim/echo", "sim"), ("sim/words", "sim"), ("box/a", "box"), ("box/b/c", "box"),
        ("sim/fail", "sim"),
    ]  # fmt: skip


async def test_call_is_recorded_with_its_target(bench: Bench) -> None:
    """The record tells who answered, under which number of attempts."""
    gateway = bench.gateway(models={"fast": route("fail", "echo")}, retry={"max_attempts": 2, "base_s": 0})
    asked = call("fast")

    await gateway.handler(asked)

    ended = bench.told[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.provider, ended.target_model, ended.attempts, ended.position) == ("sim", "echo", 3, 1)
    assert asked.journal.target == Target("sim", "echo")

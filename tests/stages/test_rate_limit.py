"""Keeping calls within their rate limits."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Call, Reply, Target
from app.core.errors import (
    CONTEXT_TOO_LONG,
    INVALID_REQUEST,
    RATE_LIMITED,
    STREAM_BROKEN,
    TARGET_FAILED,
    TARGET_UNAVAILABLE,
    TIMEOUT_CONNECT,
    TIMEOUT_FIRST_TOKEN,
    GatewayError,
    Kind,
)
from app.core.model import Completion, Operation, PlainRequest
from app.core.rules import Scope
from app.core.signals import LimitExceeded
from app.core.stream import EventStream
from app.core.tokens import Family, prompt_parts, prompt_tokens
from app.core.usage import Usage
from tests.stages.limiting import Counter, House, cached, named, places, requests, tokens
from tests.support.calls import (
    OTHER,
    TARGET,
    Line,
    answers,
    asking,
    done,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    thought,
    usage,
    word,
)
from tests.support.virtual_time import VirtualClock

PROMPT = prompt_tokens(asking())


async def test_a_call_within_its_limits_goes_on(clock: VirtualClock) -> None:
    """And is told how the buckets stand."""
    house = House(clock, requests(2), script=(answers("a"),))

    text = await text_of(await house.ask())

    assert text == "a"
    assert house.standings()["requests"].remaining == 1
    assert house.told == []


async def test_long_waits_are_told_in_whole_seconds(clock: VirtualClock) -> None:
    """As everybody writes them, and never less than they are."""
    house = House(clock, requests(2, window_s=5000), script=(answers("a"), answers("b")))
    for _ in range(2):
        await house.ask()

    error = await house.refused()

    assert error.message.endswith("of 2 requests per 5000 seconds is reached; come back in 2500 s.")


async def test_a_call_beyond_its_limit_is_refused(clock: VirtualClock) -> None:
    """At once, with the name of the limit and the time to wait; the provider is not asked."""
    house = House(clock, requests(2), script=(answers("a"), answers("b")))
    for _ in range(2):
        await house.ask()

    error = await house.refused()

    assert (error.kind, error.retry_after_s, error.limit) == (RATE_LIMITED, 30.0, "requests")
    assert error.message == "The rate limit 'requests' of 2 requests per minute is reached; come back in 30 s."
    assert (error.provider, error.from_upstream) == (None, False)
    assert house.standings()["requests"].remaining == 0
    assert house.told == [LimitExceeded("req_1", "requests", "requests", 30.0, shadow=False)]
    assert len(house.provider.asked) == 2


async def test_after_the_time_to_wait_it_is_let_in(clock: VirtualClock) -> None:
    """Exactly then."""
    house = House(clock, requests(2), script=(answers(),) * 3)
    for _ in range(2):
        await house.ask()
    error = await house.refused()
    assert error.retry_after_s is not None
    await asyncio.sleep(error.retry_after_s)

    assert await text_of(await house.ask()) == "hello"


async def test_who_meets_no_rule_costs_nothing(clock: VirtualClock) -> None:
    """Nothing is asked, nothing told."""
    house = House(clock, requests(1, Scope.SESSION), script=(answers(), answers()))

    for _ in range(2):
        await house.ask()

    assert house.journal.limits == ()


async def test_shadow_refuses_nobody(clock: VirtualClock) -> None:
    """It says whom it would have refused."""
    house = House(clock, requests(1, shadow=True), script=(answers(),) * 3)

    for _ in range(3):
        await house.ask()

    assert house.exceeded() == [("requests", True)] * 2


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_tokens_are_reserved_and_settled(clock: VirtualClock) -> None:
    """While the call runs its most is taken, afterwards what it used; the headers tell the truth already."""
    script = (answers(usage=Usage(20, 30, 50), after_s=0.001),)
    house = House(clock, tokens(6000), script=script)
    running = asyncio.ensure_future(house.ask(max_tokens=1000))
    await asyncio.sleep(0)

    meanwhile = await house.levels()
    await running

    assert meanwhile == {"tokens": 6000 - PROMPT - 1000}
    assert await house.levels() == {"tokens": 5950}
    assert house.standings()["tokens"].remaining == 5950


async def test_nobodys_answer_is_cut(clock: VirtualClock) -> None:
    """The request goes on as it came, and what it takes beyond the reservation is owed."""
    house = House(clock, tokens(6000), script=(answers(usage=Usage(20, 8980, 9000)), answers()))
    request = house.call().request

    await house.ask()
    error = await house.refused()

    assert house.provider.asked[0].request.raw == request.raw  # type: ignore[union-attr] # a call
    assert error.retry_after_s is not None
    assert 30 <= error.retry_after_s < 40


async def test_the_tokens_of_a_stream_are_those_it_reports(clock: VirtualClock) -> None:
    """At its end."""
    line = Line(role(), word("a"), word("b"), usage(20, 2), done())
    house = House(clock, tokens(6000), script=(streams(line),))
    reply = await house.ask(stream=True, max_tokens=100)

    begun = await house.levels()
    text = await text_of(reply)

    assert text == "ab"
    assert begun == {"tokens": 6000 - PROMPT - 100}
    assert await house.levels() == {"tokens": 5978}


@pytest.mark.parametrize("ending", ["left", "broken"])
async def test_a_stream_that_ends_early_counts_as_far_as_it_was_seen(clock: VirtualClock, ending: str) -> None:
    """The prompt, and the pieces of the answer or their characters, whichever are more."""
    long = word("x" * 80)
    line = Line(role(), long, [thought("y" * 8), word("z")], GatewayError(TARGET_UNAVAILABLE, "gone"))
    house = House(clock, tokens(6000), script=(streams(line),))
    reply = await house.ask(stream=True, max_tokens=500)
    assert isinstance(reply.body, EventStream)

    if ending == "broken":
        with pytest.raises(GatewayError) as caught:
            await text_of(reply)
        assert caught.value.kind is STREAM_BROKEN
        seen = (80 + 8 + 1) // 4
    else:
        await anext(aiter(reply.body))
        await anext(aiter(reply.body))
        await reply.body.aclose()
        seen = 80 // 4

    assert await house.levels() == {"tokens": 6000 - PROMPT - seen}


async def test_many_small_pieces_are_a_token_each(clock: VirtualClock) -> None:
    """Scripts with one character a token are not taken for a quarter."""
    line = Line(role(), *[word("\u4eba")] * 40, done())
    house = House(clock, tokens(6000), script=(streams(line),))

    await text_of(await house.ask(stream=True))

    assert await house.levels() == {"tokens": 6000 - PROMPT - 40}


@pytest.mark.parametrize(
    ("failure", "used"),
    [(TARGET_FAILED, 0), (TIMEOUT_CONNECT, 0), (TIMEOUT_FIRST_TOKEN, PROMPT)],
)
async def test_a_failure_costs_what_its_provider_worked(clock: VirtualClock, failure: Kind, used: int) -> None:
    """Nothing for a refusal; the prompt if the provider was given up while it worked."""
    house = House(clock, tokens(6000), script=(fails(failure),))

    await house.refused()

    assert await house.levels() == {"tokens": 6000 - used}


async def test_a_caller_who_leaves_pays_for_the_prompt(clock: VirtualClock) -> None:
    """It is with the provider already."""
    house = House(clock, tokens(6000), script=(hangs(),))
    running = asyncio.ensure_future(house.ask())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert await house.levels() == {"tokens": 6000 - PROMPT}


async def test_a_caller_who_leaves_before_a_provider_was_asked_pays_no_tokens(clock: VirtualClock) -> None:
    """It may have waited in a queue."""
    house = House(clock, tokens(6000))

    async def queue(_call: Call) -> Reply:
        await asyncio.sleep(1e9)
        raise AssertionError("the queue never ends")

    running = asyncio.ensure_future(house.handler(queue)(house.call()))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert await house.levels() == {"tokens": 6000}


async def test_a_bug_costs_nothing(clock: VirtualClock) -> None:
    """Whatever it was."""
    house = House(clock, tokens(6000), script=(raises(KeyError("bug")),))

    with pytest.raises(KeyError):
        await house.ask()

    assert await house.levels() == {"tokens": 6000}


@pytest.mark.parametrize("how", ["hit", "coalesced"])
async def test_an_answer_from_the_cache_costs_a_request_and_no_tokens(clock: VirtualClock, how: str) -> None:
    """Whatever usage it tells of."""

    async def from_cache(call: object) -> Reply:
        cached(call, how)  # type: ignore[arg-type] # a call
        return Reply(Completion(b"{}", Usage(20, 30, 50)))

    house = House(clock, tokens(6000), requests(10), script=(from_cache,))

    await house.ask()

    assert await house.levels() == {"tokens": 6000, "requests": 9}


async def test_a_provider_that_counts_nothing_is_estimated(clock: VirtualClock) -> None:
    """By the length of its answer; parts without a total are added up."""

    async def silent(_call: object) -> Reply:
        return Reply(Completion(b"x" * 700, None))

    house = House(clock, tokens(6000), script=(silent, answers(usage=Usage(20, 30, 0))))

    await house.ask()
    first = await house.levels()
    await house.ask()

    assert first == {"tokens": 6000 - PROMPT - 100}
    assert await house.levels() == {"tokens": 6000 - PROMPT - 150}


# --- what could never fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields", "param"),
    [
        ("hi", {"max_tokens": 2000}, "max_tokens"),
        ("hi", {"max_completion_tokens": 2000}, "max_completion_tokens"),
        ("word " * 2000, {"max_tokens": 5}, "messages"),
        ("word " * 2000, {}, "messages"),
    ],
)
async def test_what_could_never_fit_is_the_callers_mistake(
    clock: VirtualClock, text: str, fields: dict[str, object], param: str
) -> None:
    """No time would help, so it is not asked to wait; the field that is too large is named."""
    house = House(clock, tokens(1000))

    error = await house.refused(house.call(text, **fields))

    assert (error.kind, error.param, error.limit, error.retry_after_s) == (INVALID_REQUEST, param, "tokens", None)
    assert "'tokens' lets at most 1000 through at once" in error.message
    assert house.exceeded() == [("tokens", False)]


async def test_other_operations_name_their_input(clock: VirtualClock) -> None:
    """They have no messages."""
    house = House(clock, tokens(100))
    request = PlainRequest(Operation.EMBEDDINGS, "m", b"{}", text=("word " * 500,))
    call = house.call()
    call = type(call)(**{name: getattr(call, name) for name in call.__struct_fields__} | {"request": request})

    error = await house.refused(call)

    assert (error.kind, error.param) == (INVALID_REQUEST, "input")


async def test_a_call_too_long_by_the_estimate_is_counted(clock: VirtualClock) -> None:
    """The exact number lets it in where the estimate does not, and only then is it counted."""
    counter = Counter(100)
    house = House(clock, tokens(1000), requests(10), script=(answers(), answers()), tokenizer=counter)
    long = "word " * 2000

    await house.ask("short", max_tokens=5)
    uncounted = list(counter.asked)
    await house.ask(long, max_tokens=5)

    assert (uncounted, counter.asked) == ([], [long])
    assert house.standings()["requests"].remaining == 8
    _, other = prompt_parts(asking(long))
    assert house.standings()["tokens"].claim.units == 100 + other + 5


@pytest.mark.parametrize("counter", [Counter(5000), Counter(1, Family.CL100K)], ids=["longer", "unknown"])
async def test_a_count_that_does_not_help_changes_nothing(clock: VirtualClock, counter: Counter) -> None:
    """More tokens than estimated, or a vocabulary that is not there."""
    house = House(clock, tokens(1000), tokenizer=counter)

    error = await house.refused(house.call("word " * 2000, max_tokens=5))

    assert (error.kind, error.param, counter.asked != []) == (INVALID_REQUEST, "messages", True)


async def test_an_attempt_is_counted_by_the_vocabulary_of_its_target(clock: VirtualClock) -> None:
    """Which its model's name tells; a refusal of requests needs no count."""
    counter = Counter(10, Family.CL100K)
    house = House(clock, tokens(1000, Scope.MODEL), requests(1), script=(answers(),), tokenizer=counter)
    handler = house.walk((Target("acme", "gpt-4-turbo"),))

    await handler(house.call("word " * 2000, max_tokens=5))
    error = await house.refused(house.call(), handler)

    assert (error.kind, len(counter.asked)) == (RATE_LIMITED, 1)


# --- calls at the same time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["answer", "failure", "leaving", "stream", "stream left"])
async def test_every_ending_frees_the_place(clock: VirtualClock, ending: str) -> None:
    """At its last byte."""
    steps = {
        "answer": answers(after_s=1.0),
        "failure": fails(TARGET_FAILED, after_s=1.0),
        "leaving": hangs(),
        "stream": streams(Line(word("a"), done())),
        "stream left": streams(Line(word("a"), done())),
    }
    house = House(clock, places(1), script=(steps[ending], answers("next")))
    running = asyncio.ensure_future(house.ask(stream=ending.startswith("stream")))
    await asyncio.sleep(0.5)

    error = await house.refused()
    if ending == "leaving":
        running.cancel()
    await asyncio.wait([running])
    if ending.startswith("stream"):
        body = running.result().body
        assert isinstance(body, EventStream)
        await (text_of(running.result()) if ending == "stream" else body.aclose())
    after = await text_of(await house.ask())

    assert error.message == "The rate limit 'places' of 1 calls at the same time is reached; come back in 1 s."
    assert (error.kind, error.retry_after_s) == (RATE_LIMITED, 1.0)
    assert after == "next"
    assert house.standings()["places"].reset_s == 0.0


# --- limits of models and providers ----------------------------------------------------------------------------------


async def test_a_full_target_is_passed_by(clock: VirtualClock) -> None:
    """The call moves on to the next target, and the full one is not asked."""
    house = House(clock, requests(1, Scope.PROVIDER), script=(answers("a"), answers("b")))
    handler = house.walk((TARGET, OTHER))

    texts = [await text_of(await handler(house.call())) for _ in range(2)]

    assert texts == ["a", "b"]
    assert house.provider.targets == [TARGET, OTHER]
    assert house.journal.tried[0].code == "rate_limited"
    assert house.standings()["requests"].remaining == 0


async def test_when_all_targets_are_full_the_limit_is_told(clock: VirtualClock) -> None:
    """As a limit of the gateway, at its provider."""
    house = House(clock, requests(1, Scope.MODEL), script=(answers(),))
    handler = house.walk()
    await handler(house.call())

    error = await house.refused(house.call(), handler)

    assert (error.kind, error.retry_after_s, error.limit) == (RATE_LIMITED, 60.0, "requests")
    assert (error.provider, error.from_upstream) == ("acme", False)


async def test_a_failure_of_a_target_tells_more_than_a_full_one(clock: VirtualClock) -> None:
    """The caller hears of what went wrong, not of what was not tried."""
    house = House(clock, requests(1, Scope.PROVIDER), script=(answers(), fails(TIMEOUT_FIRST_TOKEN)))
    await house.walk((OTHER,))(house.call())

    error = await house.refused(house.call(), house.walk((TARGET, OTHER)))

    assert error.kind is TIMEOUT_FIRST_TOKEN
    assert house.provider.targets == [OTHER, TARGET]
    assert [tried.code for tried in house.journal.tried] == ["timeout_first_token", "rate_limited"]


async def test_a_call_too_long_for_one_target_may_suit_another(clock: VirtualClock) -> None:
    """What could never fit at one is tried at the next."""
    small = tokens(50, Scope.PROVIDER)
    house = House(clock, small, script=())

    error = await house.refused(house.call(max_tokens=100), house.walk())

    assert (error.kind, error.param, error.provider) == (CONTEXT_TOO_LONG, "max_tokens", "acme")


async def test_calls_and_targets_have_limits_side_by_side(clock: VirtualClock) -> None:
    """Both are told, and each is settled once."""
    both = (tokens(6000), named(tokens(600, Scope.PROVIDER), "provider"))
    house = House(clock, *both, script=(answers(usage=Usage(20, 30, 50)),))

    await house.walk()(house.call(max_tokens=100))

    assert await house.levels() == {"tokens": 5950, "provider": 550}
    assert {name: each.remaining for name, each in house.standings().items()} == {"tokens": 5950, "provider": 550}


async def test_an_attempt_without_rules_goes_on(clock: VirtualClock) -> None:
    """Whoever is not limited is not asked."""
    house = House(clock, script=(answers("a"),))

    assert await text_of(await house.walk()(house.call())) == "a"


@pytest.mark.parametrize(("window_s", "spelled"), [(1, "second"), (3600, "hour"), (86_400, "day"), (90, "90 seconds")])
async def test_windows_are_spelled(clock: VirtualClock, window_s: float, spelled: str) -> None:
    """As people say them."""
    house = House(clock, requests(1, window_s=window_s), script=(answers(),))
    await house.ask()

    error = await house.refused()

    assert f"of 1 requests per {spelled} is reached" in error.message

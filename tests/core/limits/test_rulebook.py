"""Which rules a call meets, and what it asks of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from app.core.call import Attempt, Call, CallOptions, Target
from app.core.gcra import Rate
from app.core.identity import Caller, Credential
from app.core.limits.rulebook import ANSWER_TOKENS, HOLD_SPARE_S, Length, RuleBook, length_of, owner_of
from app.core.model import Operation, PlainRequest
from app.core.rules import Ask, Measure, Rule, Scope
from app.core.tokens import prompt_tokens
from app.state.limits.memory import part_of
from tests.support.calls import TARGET, a_call, an_attempt, asking
from tests.support.virtual_time import START_S

ANN = Caller("key_ann", "key_ann", team="blue")
BEN = Caller("key_ben", "key_ben", team="blue")


def rule(*per: Scope, measure: Measure = Measure.REQUESTS, name: str = "r", **more: Any) -> Rule:  # noqa: ANN401
    """Return a rule of ten a minute, or ten places."""
    rate = None if measure is Measure.CONCURRENCY else Rate.of(10, 60, 10)
    return Rule(name, measure, 10, rate, per or (Scope.GLOBAL,), **more)


def calling(
    caller: Caller | None = None,
    *,
    session: str | None = None,
    key: bytes | None = None,
    **fields: Any,  # noqa: ANN401 - of the body
) -> Call:
    """Return a call of somebody."""
    call = a_call(asking(**fields), options=CallOptions(session=session))
    credential = None if key is None else Credential(key)
    return msgspec.structs.replace(call, credential=credential, **({} if caller is None else {"caller": caller}))


def asked(rules: Iterable[Rule], call: Call) -> Ask | None:
    """Return what a call asks for."""
    return RuleBook(rules, of_targets=False).of_call(call, START_S)


def bucket(per: Scope | tuple[Scope, ...], call: Call) -> str | None:
    """Return the bucket of one rule that a call meets."""
    found = asked([rule(*(per if isinstance(per, tuple) else (per,)))], call)
    return None if found is None else found.claims[0].bucket


def attempted(rules: Iterable[Rule], attempt: Attempt) -> Ask | None:
    """Return what an attempt asks for."""
    return RuleBook(rules, of_targets=True).of_attempt(attempt, START_S)


def test_without_rules_there_is_nothing_to_ask() -> None:
    """Nor with rules of another place, or for others."""
    elsewhere = [rule(Scope.MODEL), rule(Scope.GLOBAL, models=("slow",))]

    assert asked([], a_call()) is None
    assert asked(elsewhere, a_call()) is None
    assert attempted([rule(Scope.GLOBAL)], an_attempt()) is None


def test_all_rules_of_a_call_are_asked_together() -> None:
    """In their order, for as long as the call may take and a little longer."""
    rules = [rule(name="a"), rule(measure=Measure.CONCURRENCY, name="b"), rule(Scope.KEY, name="c")]
    call = msgspec.structs.replace(a_call(), deadline=START_S + 20)

    found = asked(rules, call)

    assert found is not None
    assert ["a", "b", "c"] == [claim.rule.name for claim in found.claims]
    assert [(1, 6_000_000), (1, 0), (1, 6_000_000)] == [(claim.units, claim.charge_us) for claim in found.claims]
    assert (20 + HOLD_SPARE_S, None, "") == (found.hold_s, found.prompt, found.slot)


def test_rules_per_model_are_met_by_attempts() -> None:
    """All others by calls, so that no call meets one twice."""
    rules = [rule(scope, name=scope.value) for scope in Scope]

    of_calls = RuleBook(rules, of_targets=False).rules
    of_attempts = RuleBook(rules, of_targets=True).rules

    assert {"model", "provider"} == {each.name for each in of_attempts}
    assert len(rules) == len(of_calls) + len(of_attempts)


@pytest.mark.parametrize(
    ("scope", "one", "other", "same"),
    [
        (Scope.GLOBAL, calling(ANN), calling(BEN), True),
        (Scope.KEY, calling(ANN), calling(BEN), False),
        (Scope.KEY, calling(key=b"one"), calling(key=b"other"), False),
        (Scope.KEY, calling(key=b"one"), calling(key=b"one"), True),
        (Scope.KEY, calling(), calling(), True),
        (Scope.KEY, calling(ANN, key=b"old"), calling(ANN, key=b"new"), True),
        (Scope.TEAM, calling(ANN), calling(BEN), True),
        (Scope.USER, calling(ANN, user="u"), calling(ANN, user="v"), False),
        (Scope.USER, calling(ANN, user="u"), calling(BEN, user="u"), False),
        (Scope.USER, calling(ANN), calling(ANN, user="u"), False),
        (Scope.USER, calling(ANN), calling(BEN), False),
        (Scope.SESSION, calling(ANN, session="s"), calling(ANN, session="t"), False),
        (Scope.SESSION, calling(ANN, session="s"), calling(BEN, session="s"), False),
        (Scope.ROUTE, calling(model="acme/small"), calling(model="acme:small"), True),
        (Scope.ROUTE, calling(model="fast"), calling(model="slow"), False),
    ],
)
def test_whose_bucket_it_is(scope: Scope, one: Call, other: Call, same: bool) -> None:
    """Users and sessions are those of one key; whoever is not known is told apart by what he sends."""
    assert same == (bucket(scope, one) == bucket(scope, other))


def test_a_user_whom_the_key_names_cannot_be_another() -> None:
    """What the body says counts only where the key says nothing."""
    bound = msgspec.structs.replace(ANN, user="ann")

    assert bucket(Scope.USER, calling(bound, user="x")) == bucket(Scope.USER, calling(bound, user="y"))


def test_who_belongs_to_nobody_meets_no_rule() -> None:
    """Calls without a session or a team are not limited by those."""
    assert bucket(Scope.SESSION, calling(ANN)) is None
    assert bucket(Scope.TEAM, calling(Caller("k", "k"))) is None
    assert bucket((Scope.KEY, Scope.SESSION), calling(ANN)) is None


def test_scopes_combine() -> None:
    """Each combination has a bucket of its own."""
    per = (Scope.KEY, Scope.ROUTE)
    found = {bucket(per, calling(caller, model=model)) for caller in (ANN, BEN) for model in ("fast", "slow")}

    assert 4 == len(found)


def test_a_key_is_never_shown() -> None:
    """Nothing of what a caller sends as its key is in the name of its bucket."""
    name = bucket(Scope.KEY, calling(key=b"sk-canary"))

    assert name is not None
    assert "canary" not in name


@pytest.mark.parametrize("value", ["a:b", "a%3Ab", "\u00e9\u4e2d", "x" * 5000, "a b", "}{", "\ud800"])
def test_names_may_be_anything(value: str) -> None:
    """They end where they end, and are short."""
    name = bucket(Scope.SESSION, calling(ANN, session=value))

    assert name is not None
    assert len(name) < 300
    assert name.isascii()
    assert 4 == name.count(":")
    assert name != bucket(Scope.SESSION, calling(ANN, session=value + "x"))


def test_a_bucket_tells_its_owner() -> None:
    """For the eyes of an operator."""
    found = asked([rule(Scope.USER, Scope.ROUTE), rule(name="all")], calling(ANN, user="a:b c"))

    assert found is not None
    assert {("key_ann", "a:b c", "fast"), ()} == {owner_of(claim) for claim in found.claims}


@pytest.mark.parametrize("measure", [Measure.REQUESTS, Measure.CONCURRENCY])
def test_a_part_of_a_limit_tells_its_owner(measure: Measure) -> None:
    """Of several processes that cannot agree each has smaller numbers for a bucket of the same name."""
    found = asked([rule(Scope.USER, measure=measure)], calling(ANN, user="ann"))

    assert found is not None
    assert [("key_ann", "ann")] == [owner_of(claim) for claim in part_of(found, 2).claims]


def test_other_numbers_are_another_bucket() -> None:
    """What is in a bucket is time, which would mean something else after a reload."""
    numbers = [Rate.of(10, 60, 10), Rate.of(20, 60, 10), Rate.of(10, 61, 10), Rate.of(10, 60, 9)]
    rules = [msgspec.structs.replace(rule(), rate=rate) for rate in numbers]
    rules += [Rule("r", Measure.CONCURRENCY, most) for most in (1, 2)]

    found = [asked([each], a_call()) for each in rules]

    assert 6 == len({each.claims[0].bucket for each in found if each is not None})


@pytest.mark.parametrize(
    ("models", "asked_for", "meets"),
    [
        (("fast",), "fast", True),
        (("fast",), "faster", False),
        (("fa*",), "faster", True),
        (("acme/*",), "acme:small", True),
        (("acme/*", "slow"), "slow", True),
        (("acme/*",), "box/small", False),
    ],
)
def test_a_rule_may_be_for_some_models(models: tuple[str, ...], asked_for: str, meets: bool) -> None:
    """As they are asked for, in either spelling."""
    assert meets == (asked([rule(models=models)], calling(model=asked_for)) is not None)


def test_a_rule_of_targets_also_knows_the_target() -> None:
    """Its models may be those that answer."""
    attempt = an_attempt(calling(model="fast"), TARGET)

    assert attempted([rule(Scope.MODEL, models=("acme/*",))], attempt) is not None
    assert attempted([rule(Scope.MODEL, models=("fast",))], attempt) is not None
    assert attempted([rule(Scope.MODEL, models=("box/*",))], attempt) is None


def test_targets_have_buckets_of_their_own() -> None:
    """By model or by provider."""
    targets = [Target("acme", "small"), Target("acme", "large"), Target("box", "small")]
    found = [
        [attempted([rule(scope)], an_attempt(target=target)) for target in targets]
        for scope in (Scope.MODEL, Scope.PROVIDER)
    ]

    models, providers = ([each.claims[0].bucket for each in asks if each is not None] for asks in found)

    assert 3 == len(set(models))
    assert providers[0] == providers[1] != providers[2]


def test_a_key_brings_rules_of_its_own() -> None:
    """On top of those of the gateway, in its own bucket; changed rules are taken over."""
    own = rule(Scope.KEY, name="own")
    book = RuleBook([rule(name="all")], of_targets=False)
    ann = msgspec.structs.replace(ANN, limits=(own,))
    changed = msgspec.structs.replace(ANN, limits=(rule(Scope.KEY, name="new"),))

    asks = [book.of_call(calling(caller), START_S) for caller in (ann, ann, BEN, changed)]

    names = [[claim.rule.name for claim in found.claims] for found in asks if found is not None]
    assert [["all", "own"], ["all", "own"], ["all"], ["all", "new"]] == names


def test_what_differs_from_call_to_call_is_asked_each_time() -> None:
    """What is known of a caller holds for its next call only where that cannot be about another model or session."""
    book = RuleBook([rule(models=("fast",), name="m"), rule(Scope.SESSION, name="s")], of_targets=False)
    calls = [calling(ANN, session="1", model="slow"), calling(ANN, session="2", model="fast")]

    found = [book.of_call(call, START_S) for call in calls]

    buckets = [[] if ask is None else [(claim.rule.name, claim.bucket[-1]) for claim in ask.claims] for ask in found]
    assert buckets[0] == [("s", "1")]
    assert [name for name, _ in buckets[1]] == ["m", "s"]
    assert buckets[1][1] == ("s", "2")


def test_a_gateway_without_rules_has_those_of_keys() -> None:
    """Also if it is the only one."""
    ann = msgspec.structs.replace(ANN, limits=(rule(Scope.KEY, name="own"),))

    found = asked([], calling(ann))

    assert found is not None
    assert ("own", "key_ann") == (found.claims[0].rule.name, found.slot)


def test_what_is_known_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys there are."""
    monkeypatch.setattr("app.core.limits.rulebook.CALLERS_MAX", 3)
    book = RuleBook([], of_targets=False)

    asks = [
        book.of_call(calling(Caller(f"k{number}", "t", limits=(rule(Scope.KEY),))), START_S) for number in range(10)
    ]

    assert None not in asks


@pytest.mark.parametrize(
    ("rules", "slot"),
    [
        ([rule(Scope.KEY), rule(Scope.KEY, Scope.ROUTE)], "key_ann"),
        ([rule(Scope.TEAM), rule(Scope.TEAM, Scope.KEY)], "blue"),
        ([rule(Scope.KEY), rule(Scope.GLOBAL)], ""),
        ([rule(Scope.USER)], ""),
        ([rule(Scope.SESSION)], ""),
    ],
)
def test_buckets_spread_by_what_they_have_in_common(rules: list[Rule], slot: str) -> None:
    """So that a cluster shares the work, and yet keeps the buckets of each call together."""
    found = asked(rules, calling(ANN, user="u", session="s"))

    assert found is not None
    assert slot == found.slot


def test_tokens_are_those_of_the_prompt_and_of_the_answer() -> None:
    """As far as the caller bounds it and the rule wants to reserve; of every choice."""
    rule_ = Rule("t", Measure.TOKENS, 100_000, Rate.of(100_000, 60, 100_000), reserve=4096)
    prompt = prompt_tokens(asking())
    units = {}
    bodies: dict[str, dict[str, Any]] = {
        "bounded": {"max_tokens": 50},
        "choices": {"max_tokens": 50, "n": 3},
        "long": {"max_tokens": 50_000},
        "unbounded": {},
    }
    for name, fields in bodies.items():
        found = asked([rule_], calling(**fields))
        assert found is not None
        assert prompt == found.prompt
        units[name] = found.claims[0].units - prompt

    assert {"bounded": 50, "choices": 150, "long": 4096, "unbounded": ANSWER_TOKENS} == units


def test_a_guess_uses_up_no_small_limit() -> None:
    """Whoever says nothing of the length of the answer takes a tenth of the burst at most."""
    small = Rule("t", Measure.TOKENS, 100, Rate.of(100, 60, 100), reserve=4096)

    found = asked([small], calling())

    assert found is not None
    assert 10 == found.claims[0].units - prompt_tokens(asking())


@pytest.mark.parametrize(("operation", "answer"), [(Operation.EMBEDDINGS, 0), (Operation.COMPLETIONS, None)])
def test_only_who_speaks_needs_tokens_for_an_answer(operation: Operation, answer: int | None) -> None:
    """Embeddings and the like have none."""
    request = PlainRequest(operation, "m", b"{}", text=("some words",))

    assert Length(prompt_tokens(request), answer) == length_of(a_call(request))


def test_counting_tokens_costs_none() -> None:
    """Nor is the question refused by a limit of tokens; it is a request as any other."""
    tokens = Rule("t", Measure.TOKENS, 10, Rate.of(10, 60, 10), reserve=4096)
    call = msgspec.structs.replace(
        a_call(), request=PlainRequest(Operation.COUNT_TOKENS, "m", b"{}", text=("word",) * 99)
    )

    found = asked([tokens, rule()], call)

    assert found is not None
    assert [Measure.REQUESTS] == [claim.rule.measure for claim in found.claims]


def test_a_rule_that_says_the_same_twice_counts_once() -> None:
    """A key may have by chance the very limit that the gateway has for all keys."""
    same = rule(Scope.KEY, name="key")
    ann = msgspec.structs.replace(ANN, limits=(same, rule(Scope.KEY, name="own")))

    found = asked([same, rule(name="all")], calling(ann))

    assert found is not None
    assert 3 == len({claim.bucket for claim in found.claims}) == len(found.claims)

"""The tracing stages around others, with OpenTelemetry's own spans."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from app.core.call import Attempt, Call, Reply
from app.core.errors import RATE_LIMITED, TARGET_FAILED, GatewayError
from app.core.model import Operation, PlainRequest
from app.core.outcome import Outcome
from app.core.pipeline import Handler, compose, settle
from app.telemetry.tracing.attributes import Peer
from app.telemetry.tracing.composing import Traced
from app.telemetry.tracing.tracer import Tracer
from tests.support.calls import (
    OTHER,
    TARGET,
    FakeProvider,
    Line,
    a_call,
    answers,
    done,
    fails,
    raises,
    streams,
    text_of,
    usage,
    word,
)
from tests.support.virtual_time import VirtualClock


class Bench:
    """A tracer whose spans are kept."""

    def __init__(self, sample_ratio: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        tracer = Tracer(provider.get_tracer("test"), sample_ratio, lambda: 0.5, follow_caller=True)
        self.traced = Traced(tracer, {"acme": Peer("openai", "acme.example", 443)}, VirtualClock())

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return the spans that have ended, in the order of their ends."""
        return self._kept.get_finished_spans()

    def names(self) -> list[str]:
        """Return their names."""
        return [span.name for span in self.spans]

    def told(self, name: str) -> dict[str, Any]:
        """Return what the one span of that name says."""
        (found,) = (span for span in self.spans if span.name == name)
        return dict(found.attributes or {})


class Store:
    """Does what a cache does: looks, and keeps the answer after the call."""

    def __init__(self, bench: Bench, answer: Reply | None = None, *, state: str = "miss") -> None:
        self._bench = bench
        self._answer = answer
        self._state = state
        self.seen: list[list[str]] = []

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """Answer, or ask and keep."""
        call.journal.cache = self._state
        if self._answer is not None:
            return self._answer
        return await settle(call, proceed, self._keep)

    async def _keep(self, _outcome: Outcome) -> None:
        self.seen.append(self._bench.names())


class Refusing:
    """Lets nobody pass."""

    async def __call__(self, _call: Call, _proceed: Handler[Call]) -> Reply:
        """Refuse."""
        raise GatewayError(RATE_LIMITED, "no")


def pipeline(bench: Bench, stage: Any, endpoint: Handler[Call]) -> Handler[Call]:  # noqa: ANN401 - any stage
    """Compose a traced pipeline with one stage and an endpoint."""
    return compose([*bench.traced.call(), *bench.traced.entry("entry", [stage])], endpoint)


async def test_a_stage_is_traced_until_it_passes_the_call_on() -> None:
    """What the call does further down does not belong to the stage."""
    bench = Bench()
    ended_before: list[list[str]] = []

    async def endpoint(call: Call) -> Reply:
        ended_before.append(bench.names())
        return await answers()(call)

    await pipeline(bench, Store(bench), endpoint)(a_call())

    assert ended_before == [["entry"]]
    assert bench.told("entry") == {"wizard.cache": "miss"}


async def test_a_stage_that_answers_is_traced_to_its_answer() -> None:
    """A hit has no further span."""
    bench = Bench()
    hit = await answers("kept")(a_call())

    reply = await pipeline(bench, Store(bench, hit, state="hit"), FakeProvider())(a_call())

    assert await text_of(reply) == "kept"
    assert bench.names() == ["entry", "wizard.generate"]
    assert bench.told("entry") == {"wizard.cache": "hit"}


async def test_a_stage_that_refuses_says_why() -> None:
    """A refusal is the stage's and the call's, and not a failure of the gateway."""
    bench = Bench()

    with pytest.raises(GatewayError):
        await pipeline(bench, Refusing(), FakeProvider())(a_call())

    assert bench.told("entry") == {"error.type": "rate_limited"}
    assert bench.told("wizard.generate")["error.type"] == "rate_limited"
    assert all(span.status.is_ok or span.status.is_unset for span in bench.spans)


async def test_a_call_that_is_not_sampled_meets_the_stages_bare() -> None:
    """No span is built, and every stage does its work."""
    bench = Bench(sample_ratio=0.5)
    store = Store(bench)
    attempt = compose([*bench.traced.target(), *bench.traced.attempt()], FakeProvider(answers("plain")))
    handler = pipeline(bench, store, bench.traced.request(lambda call: attempt(Attempt(call, TARGET, last=True))))

    reply = await handler(a_call())

    assert await text_of(reply) == "plain"
    assert store.seen == [[]]
    assert bench.names() == []


async def test_a_target_beside_another_is_told_from_one_behind_it() -> None:
    """A hedge is a second target while the first is still at work; a fallback is one after it failed."""
    bench = Bench()
    provider = FakeProvider(answers(after_s=1e-3), answers(), fails(TARGET_FAILED), answers())
    attempt = compose([*bench.traced.target(), *bench.traced.attempt()], provider)

    async def beside(call: Call) -> Reply:
        first = asyncio.ensure_future(attempt(Attempt(call, TARGET, last=False)))
        await asyncio.sleep(0)
        reply = await attempt(Attempt(call, OTHER, last=True))
        await first
        return reply

    async def behind(call: Call) -> Reply:
        with pytest.raises(GatewayError):
            await attempt(Attempt(call, TARGET, last=False))
        return await attempt(Attempt(call, OTHER, last=True))

    for ask in (beside, behind):
        await compose(bench.traced.call(), bench.traced.request(ask))(a_call())

    targets = [dict(span.attributes or {}) for span in bench.spans if span.name == "wizard.fallback.try_model"]
    assert [told["wizard.hedged"] for told in targets] == [True, False]
    assert [told["gen_ai.request.model"] for told in targets] == [OTHER.model] * 2


async def test_a_stream_tells_its_usage_at_its_end() -> None:
    """Tokens and finish are those of the events that passed."""
    bench = Bench()
    provider = FakeProvider(streams(Line(word(), usage(3, 4), done())))
    attempt = compose(bench.traced.attempt(), provider)
    handler = compose(bench.traced.call(), lambda call: attempt(Attempt(call, TARGET, last=True)))

    await text_of(await handler(a_call()))

    for name in ("wizard.retry.attempt", "wizard.generate"):
        told = bench.told(name)
        assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (3, 4)
        assert "gen_ai.response.time_to_first_chunk" in told
    assert bench.told("wizard.retry.attempt")["server.address"] == "acme.example"


async def test_other_operations_are_named_as_they_are() -> None:
    """Embeddings have a name in the conventions; what has none keeps the gateway's."""
    bench = Bench()
    for asked in (Operation.EMBEDDINGS, Operation.RERANK):
        request = PlainRequest(asked, "m", stream=False, raw=b"{}")
        await compose(bench.traced.call(), FakeProvider(answers()))(a_call(request))

    told = [dict(span.attributes or {}) for span in bench.spans]
    assert [each["gen_ai.operation.name"] for each in told] == ["embeddings", "rerank"]


async def test_a_bug_is_an_internal_error() -> None:
    """Of an exception that is none of the gateway's, nothing is told but that."""
    bench = Bench()

    with pytest.raises(ValueError, match="secret"):
        await compose(bench.traced.call(), FakeProvider(raises(ValueError("secret"))))(a_call())

    assert bench.told("wizard.generate")["error.type"] == "internal"
    assert "secret" not in repr([(span.attributes, span.events, span.status.description) for span in bench.spans])

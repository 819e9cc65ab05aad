"""Presidio and classifiers: what they are asked, and what their answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import CHECK_UNAVAILABLE, GatewayError
from app.core.guards.seen import prompt_of
from app.core.redaction.finding import Finding
from app.inspection.classifier import Classifier
from app.inspection.presidio import Presidio
from tests.core.guards.test_injection import nobody
from tests.inspection.service import Answer, Service, hook_to
from tests.support.calls import asking
from tests.support.virtual_time import VirtualClock


def names(question: Any) -> object:  # noqa: ANN401 - JSON
    """Find Anna, the way Presidio tells it."""
    text = question["text"]
    found = [
        {"entity_type": kind, "start": text.find("Anna"), "end": text.find("Anna") + 4, "score": score}
        for kind, score in (("PERSON", 0.85), ("PERSON", 0.2), ("URL", 0.9))
    ]
    return [*found, {"entity_type": "PERSON", "start": 3, "end": 999}, {"entity_type": "PERSON", "start": 2, "end": 2}]


def presidio(service: Service, clock: VirtualClock, *, fail_open: bool = False) -> Presidio:
    """Return the detector."""
    return Presidio(hook_to(service, clock, fail_open=fail_open), ["PERSON"], "en", 0.5)


async def test_presidio(clock: VirtualClock) -> None:
    """Each text is asked about once, and only what was asked for and is certain enough counts."""
    service = Service(names)

    found = await presidio(service, clock).find(["hi Anna", "  ", "", "so Anna, Anna"])

    assert found == {"hi Anna": [Finding(3, 7, "person")], "so Anna, Anna": [Finding(3, 7, "person")]}
    assert service.questions[0] == {"text": "hi Anna", "language": "en", "entities": ["PERSON"], "score_threshold": 0.5}


@pytest.mark.parametrize("answer", [lambda _: {"error": "x"}, lambda _: b"<html>"], ids=["object", "html"])
async def test_presidio_that_makes_no_sense(clock: VirtualClock, answer: Answer) -> None:
    """What cannot be understood is no answer, and never taken for `nothing found`."""
    with pytest.raises(GatewayError) as caught:
        await presidio(Service(answer), clock, fail_open=True).find(["hi Anna"])

    assert caught.value.kind is CHECK_UNAVAILABLE


async def test_presidio_out_of_reach(clock: VirtualClock) -> None:
    """Closed refuses the call whichever text could not be asked about; open finds nothing."""
    service = Service(names)
    service.down = True

    with pytest.raises(GatewayError) as caught:
        await presidio(service, clock).find(["hi Anna", "so Anna"])

    assert caught.value.kind is CHECK_UNAVAILABLE
    assert await presidio(service, clock, fail_open=True).find(["hi Anna"]) == {"hi Anna": []}


def scores(*values: float) -> Answer:
    """Answer with scores."""
    return lambda _question: {"scores": values}


MESSAGES = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a"},
    {"role": "tool", "tool_call_id": "c", "content": "t"},
]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.1, 0.95), ("classified", "messages[3].content", 0.95)),
        ((0.9, 0.9), ("classified", "messages[1].content", 0.9)),
        ((7.0, 0.1), ("classified", "messages[1].content", 1.0)),
        ((0.79, 0.0), None),
    ],
)
async def test_a_classifier(clock: VirtualClock, values: tuple[float, ...], expected: object) -> None:
    """Users and tools are judged, and the worst is named, if it is bad enough."""
    service = Service(scores(*values))
    guard = Classifier(hook_to(service, clock), 0.8)

    found = await guard.check_prompt(prompt_of(asking(messages=MESSAGES)), nobody)

    assert (found and (found.reason, found.where, found.score)) == expected
    assert service.questions == [
        {"guard": "injection", "passages": [{"source": "user", "text": "u"}, {"source": "tool", "text": "t"}]}
    ]


@pytest.mark.parametrize("answer", [scores(0.1), lambda _: {"score": 1}, lambda _: b"x"], ids=["few", "other", "none"])
async def test_a_classifier_that_makes_no_sense(clock: VirtualClock, answer: Answer) -> None:
    """A score for each passage, or it is no answer."""
    with pytest.raises(GatewayError) as caught:
        await Classifier(hook_to(Service(answer), clock), 0.8).check_prompt(
            prompt_of(asking(messages=MESSAGES)), nobody
        )

    assert caught.value.kind is CHECK_UNAVAILABLE


async def test_a_classifier_that_is_not_asked_or_gone(clock: VirtualClock) -> None:
    """Nothing is asked about nothing; without an answer, open lets the call go on."""
    service = Service(scores(1.0))
    empty = prompt_of(asking(messages=[{"role": "system", "content": "s"}, {"role": "user", "content": ""}]))

    found = [await Classifier(hook_to(service, clock), 0.8).check_prompt(empty, nobody)]
    service.down = True
    found.append(
        await Classifier(hook_to(service, clock, fail_open=True), 0.8).check_prompt(prompt_of(asking()), nobody)
    )

    assert (found, len(service.asked)) == ([None, None], 1)

"""How much is found, and how much of what is found is there: measured on a labelled corpus."""

from __future__ import annotations

from collections import Counter

import pytest

from app.core.redaction.editing import Plain
from app.core.redaction.placeholders import Restore, Vault
from app.core.redaction.redactor import Action
from tests.core.redaction.corpus import MAKERS, NEGATIVES, Sample, samples
from tests.core.redaction.parts import EVERYTHING, redactor

LEAST = 0.95
CORPUS = tuple(samples())


def _judge(sample: Sample) -> tuple[bool, list[str]]:
    """Return whether the thing was found by its detector, whole, and the detectors of what else was found."""
    start = sample.text.index(sample.value) if sample.value else -1
    end, hit, others = start + len(sample.value), False, []
    for finding in EVERYTHING.find(sample.text):
        if finding.detector == sample.detector and finding.start <= start and finding.end >= end:
            hit = True
        else:
            others.append(finding.detector)
    return hit, others


@pytest.fixture(scope="module")
def scores() -> dict[str, tuple[float, float]]:
    """Return recall and precision of each detector."""
    hits: Counter[str] = Counter()
    false: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for sample in CORPUS:
        hit, others = _judge(sample)
        hits[sample.detector] += hit
        totals[sample.detector] += 1
        false.update(others)
    return {name: (hits[name] / totals[name], hits[name] / max(1, hits[name] + false[name])) for name in MAKERS}


def test_the_corpus_is_large_enough() -> None:
    """Three hundred labelled sentences at least, and a hundred that hold nothing."""
    assert len(CORPUS) - len(NEGATIVES) >= 300
    assert len(NEGATIVES) >= 100
    assert len({sample.text for sample in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("detector", MAKERS)
def test_recall_and_precision(scores: dict[str, tuple[float, float]], detector: str) -> None:
    """Of each kind, 95 % are found whole, and 95 % of what is found is one."""
    recall, precision = scores[detector]

    assert recall >= LEAST, f"recall {recall:.3f}"
    assert precision >= LEAST, f"precision {precision:.3f}"


def test_everything_comes_back() -> None:
    """Whatever was taken out of a sentence, putting it back gives the sentence."""
    rules = redactor(default=Action.TOKENIZE)

    for sample in CORPUS:
        vault = Vault()
        hidden = rules.redact_text(sample.text, vault)
        restore = Plain(Restore(vault))

        assert restore.feed(hidden) + restore.end() == sample.text
        assert not sample.value or sample.value not in hidden or not EVERYTHING.find(sample.text)

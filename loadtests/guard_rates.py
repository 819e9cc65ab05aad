"""
How much the injection guard finds, and how often it is wrong: `python -m loadtests.guard_rates FILE...`.

Each file has one JSON object a line: `text`, `label` (true for an attack) and `source` (`user` or `tool`). Figures of
public corpora are in `docs/guards.md`; your own traffic tells more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from app.core.guards.guard import Passage
from app.core.guards.injection import Injection
from app.inspection.patterns import Re2Patterns

_THRESHOLDS = (0.3, 0.5, 0.6, 0.7)


class Sample(msgspec.Struct, frozen=True):
    """One labelled text."""

    text: str
    label: bool
    source: Literal["user", "tool"] = "user"


def rates(samples: Sequence[Sample]) -> list[float]:
    """Return the share of texts that are complained of, at each threshold."""
    guard = Injection(Re2Patterns(), 0.5, 0.5)
    scores = [guard.score(Passage(sample.source, sample.text, ""))[0] for sample in samples]
    return [sum(score >= threshold for score in scores) / len(scores) for threshold in _THRESHOLDS]


def main(arguments: Sequence[str]) -> None:
    """Measure each file and print its rates."""
    lines = [f"{'':48}{'texts':>8}" + "".join(f"{f'>= {threshold:g}':>9}" for threshold in _THRESHOLDS)]
    for name in arguments:
        content = Path(name).read_bytes().splitlines()
        samples = [msgspec.json.decode(line, type=Sample, strict=False) for line in content if line.strip()]
        for label, word in ((True, "attacks"), (False, "harmless")):
            chosen = [sample for sample in samples if sample.label == label]
            if chosen:
                shares = "".join(f"{share:9.1%}" for share in rates(chosen))
                lines.append(f"{Path(name).stem[:38] + ', ' + word:48}{len(chosen):8}{shares}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

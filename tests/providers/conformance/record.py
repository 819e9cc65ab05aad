"""
Write the golden files anew, and show what changed: `python -m tests.providers.conformance.record`.

Look at the difference before you commit it: it is what the providers, or the clients, will be sent from now on.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.providers.conformance.corpus import (
    OPERATIONS,
    REQUESTS,
    decoded,
    encoded,
    encoded_operation,
    frames,
    streamed,
)
from tests.providers.conformance.dialects import COLUMNS, PASSING, Dialect


def goldens(dialect: Dialect) -> Iterator[tuple[Path, str]]:
    """Yield each golden file of a dialect with what should be in it."""
    for operation in OPERATIONS:
        yield dialect.folder("operations", f"{operation.value}.json"), pretty(encoded_operation(dialect, operation))
    if dialect in PASSING:
        return
    for name in REQUESTS:
        yield dialect.folder("requests", f"{name}.json"), pretty(encoded(dialect, name))
    if dialect.recordings != dialect.name:  # another one speaks the same, and has them already
        return
    for name in dialect.answers():
        completion = decoded(dialect, dialect.answer(name))
        yield dialect.folder("canonical", "answers", f"{name}.json"), pretty(json.loads(completion.raw))
    for name in dialect.streams():
        written = frames(streamed(dialect, dialect.stream(name))).decode()
        yield dialect.folder("canonical", "streams", f"{name}.sse"), written


def pretty(value: object) -> str:
    """Return JSON for people."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite what differs, and print the differences."""
    for dialect in COLUMNS:
        for path, written in goldens(dialect):
            kept = path.read_text(encoding="utf-8") if path.exists() else ""
            if written != kept:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(written, encoding="utf-8")
                lines = (kept.splitlines(keepends=True), written.splitlines(keepends=True))
                sys.stdout.writelines(difflib.unified_diff(*lines, f"a/{path.name}", f"b/{path.name}"))


if __name__ == "__main__":
    main()

"""What is different between two configurations, in their effect and not in their text."""

from __future__ import annotations

from app.config.leaves import Leaf, leaves
from app.config.problems import dotted
from app.config.restart import needs_restart
from app.config.schema import Settings
from app.config.showing import words
from app.config.trees import Loc
from app.core.configuration import Change


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Return every setting that differs, by path; of what came or went only what was not left at its default."""
    old, new = leaves(before), leaves(after)
    found = []
    for loc in sorted({*old, *new}, key=_rank):
        was, now = old.get(loc), new.get(loc)
        if _worth_telling(was, now):
            before_words = None if was is None else words(loc, was.value)
            after_words = None if now is None else words(loc, now.value)
            found.append(Change(dotted(loc), before_words, after_words, needs_restart(loc)))
    return tuple(found)


def _worth_telling(was: Leaf | None, now: Leaf | None) -> bool:
    if was is None or now is None:
        return any(leaf is not None and not leaf.is_default for leaf in (was, now))
    return was.value != now.value


def _rank(loc: Loc) -> tuple[tuple[str, int], ...]:
    return tuple([("", part) if isinstance(part, int) else (part, 0) for part in loc])

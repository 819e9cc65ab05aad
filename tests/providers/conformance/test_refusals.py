"""Refusals through every codec: each is a row of the error table, and quotes nothing that it should not."""

from __future__ import annotations

import pytest

from app.core.errors import Blame
from tests.providers.conformance.dialects import DIALECTS, WALL_S, Dialect
from tests.providers.conformance.errors import CANARY, NAMES, REFUSALS, Refusal
from tests.providers.conformance.marks import (
    DEEP,
    EVERY,
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=NAMES)
def test_refusals_are_told_apart(refusal: Refusal) -> None:
    """Each way to say no is the row of the error table that it stands for, with the wait that it names."""
    dialect = next(dialect for dialect in DIALECTS if dialect.name == refusal.dialect)

    error = dialect.codec().error(refusal.status, refusal.headers, refusal.body.encode(), WALL_S)

    assert (error.kind.code, error.retry_after_s) == (refusal.code, refusal.retry_after_s)


@pytest.mark.parametrize("refusal", REFUSALS, ids=NAMES)
def test_only_callers_own_faults_are_quoted(refusal: Refusal) -> None:
    """A provider's words are shown only where the caller's request is to blame: others may hold a piece of a key."""
    dialect = next(dialect for dialect in DIALECTS if dialect.name == refusal.dialect)

    error = dialect.codec().error(refusal.status, refusal.headers, refusal.body.encode(), WALL_S)

    assert CANARY not in error.message or error.kind.blame is Blame.CALLER
    assert error.message


@EVERY
@pytest.mark.parametrize(
    "status", [300, 400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504, 529, 599]
)
def test_every_status_means_something(dialect: Dialect, status: int) -> None:
    """Whatever status comes, with an empty body or with junk, there is a row for it."""
    for body in (b"", b"\xff", b"[]", b'{"error":null}', b'{"message":7}', DEEP):
        assert dialect.codec().error(status, {}, body, WALL_S).kind.status >= 400

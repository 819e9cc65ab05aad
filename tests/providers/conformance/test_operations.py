"""Operations that are no chat, through every codec: what is sent, or that it is refused."""

from __future__ import annotations

import pytest

from tests.providers.conformance.corpus import OPERATIONS, encoded_operation
from tests.providers.conformance.dialects import COLUMNS, Dialect
from tests.providers.conformance.marks import named
from tests.providers.conformance.record import pretty


@pytest.mark.parametrize("dialect", COLUMNS, ids=named)
@pytest.mark.parametrize("name", [operation.value for operation in OPERATIONS])
def test_an_operation_becomes_what_is_kept(dialect: Dialect, name: str) -> None:
    """Each operation becomes the request that the golden file shows, or is refused by its name."""
    (operation,) = [each for each in OPERATIONS if each.value == name]
    kept = dialect.folder("operations", f"{name}.json").read_text(encoding="utf-8")

    assert pretty(encoded_operation(dialect, operation)) == kept

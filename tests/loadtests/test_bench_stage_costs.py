"""The table of what each stage adds to a call."""

from __future__ import annotations

import pytest

from loadtests.stage_costs import REST, WHOLE, main


def test_the_table_adds_up_and_has_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """Each stage of the pipeline costs something that can be counted; with the rest they are the whole call."""
    main(["--rounds", "1"])

    _, _, *lines = capsys.readouterr().out.splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    opcodes = {name: int(count.replace(",", "")) for name, count, *_ in cells}
    whole = opcodes.pop(WHOLE)
    assert {"Record", "Validate", "Redact", "RateLimit", "Admission", "Retry", "Breaker", "Spend"} < opcodes.keys()
    assert all(0 < count < whole for count in opcodes.values())
    assert sum(opcodes.values()) == whole
    assert opcodes[REST] < whole / 2

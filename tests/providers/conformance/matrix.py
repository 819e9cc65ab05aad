"""
Write down which provider can do what: `python -m tests.providers.conformance.matrix`.

The cells are made of the evidence in `features.py`; `tests/docs/test_providers_page.py` fails when the page is another,
or when a test that backs a cell is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.config.presets import PRESETS
from tests.providers.conformance.dialects import COLUMNS
from tests.providers.conformance.features import ROWS, Cell

PAGE = Path(__file__).parents[3] / "docs" / "provider-features.md"
START, END = "<!-- matrix: made by tests/providers/conformance/matrix.py -->", "<!-- end of the matrix -->"
PRESETS_HEAD = """## Servers of OpenAI's dialect that differ

Presets that are not listed take bodies as they come.

"""


def cells() -> Iterator[tuple[str, str, list[Cell]]]:
    """Yield the group, the feature and the cells of each row."""
    for group, rows in ROWS.items():
        for row in rows:
            yield group, row.feature, [row.evidence.cell(dialect) for dialect in COLUMNS]


def matrix() -> str:
    """Return the tables."""
    tables: dict[str, list[str]] = {}
    head = f"| {' | '.join(dialect.name for dialect in COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}"
    for group, feature, found in cells():
        lines = tables.setdefault(group, [f"## {group[0].upper()}{group[1:]}\n\n| {head}"])
        lines.append(f"| {feature} | {' | '.join(cell.mark for cell in found)} |")
    return "\n\n".join("\n".join(lines) for lines in tables.values())


def presets() -> str:
    """Return the table of servers that speak OpenAI's dialect with a difference."""
    lines = ["| kind | renamed | left out | kept of other dialects |", "|---|---|---|---|"]
    for name, preset in sorted(PRESETS.items()):
        if preset.rename or preset.drop or preset.takes:
            renamed = [f"`{field}` to `{other}`" for field, other in sorted(preset.rename.items())]
            others = [[f"`{field}`" for field in sorted(fields)] for fields in (preset.drop, preset.takes)]
            lines.append(f"| {name} | {' | '.join(', '.join(cell) for cell in (renamed, *others))} |")
    return "\n".join(lines)


def main() -> None:
    """Write the tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{matrix()}\n\n{PRESETS_HEAD}{presets()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

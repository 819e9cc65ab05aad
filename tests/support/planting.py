"""Packages with entry points, installed by being written down."""

from __future__ import annotations

from pathlib import Path


def plant(site: Path, module: str, source: str, entries: str) -> None:
    """Install a package of one module with these entry points in a folder, which is made if it is not there."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")
    (site / f"{module}.py").write_text(source, encoding="utf-8")

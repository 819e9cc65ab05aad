"""How much memory a running gateway takes."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import GatewayProcess


def memory_mb(gateway: GatewayProcess) -> float:
    """Return the most that the gateway's processes ever had in memory."""
    folder = Path(f"/proc/{gateway.process.pid}")
    children = (folder / "task" / folder.name / "children").read_text().split()
    pages = [Path(f"/proc/{pid}/status").read_text() for pid in (folder.name, *children)]
    lines = [line for page in pages for line in page.splitlines() if line.startswith("VmHWM")]
    return sum(int(line.split()[1]) for line in lines) / 1000

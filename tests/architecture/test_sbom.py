"""The software bill of materials says what is installed with the gateway."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "runtime.txt"


class Hash(msgspec.Struct):
    """One digest."""

    alg: str
    content: str


class Reference(msgspec.Struct):
    """Where a package comes from."""

    hashes: list[Hash] = []


class Component(msgspec.Struct):
    """One package."""

    name: str
    version: str
    purl: str
    references: list[Reference] = msgspec.field(name="externalReferences", default_factory=list)


class Bom(msgspec.Struct):
    """A bill of materials in CycloneDX's form."""

    format: str = msgspec.field(name="bomFormat")
    components: list[Component]


def written(path: Path) -> bytes:
    """Have the bill written."""
    subprocess.run(["make", "--silent", "sbom", f"ARGS={path}"], cwd=ROOT, check=True, capture_output=True)  # noqa: S607
    return path.read_bytes()


def test_bill_lists_what_is_locked(tmp_path: Path) -> None:
    """Every locked package with its version and the digests of its files, and nothing else; twice the same bytes."""
    first, second = written(tmp_path / "first.json"), written(tmp_path / "second.json")

    bom = msgspec.json.decode(first, type=Bom)

    locked = set(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    assert first == second
    assert bom.format == "CycloneDX"
    assert {(component.name, component.version) for component in bom.components} == locked
    assert all(component.purl.startswith("pkg:pypi/") for component in bom.components)
    digests = {digest.content for part in bom.components for where in part.references for digest in where.hashes}
    assert digests == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", LOCK.read_text(encoding="utf-8")))

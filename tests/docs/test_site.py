"""The pages as a site, and the parts of them that are made from the code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 100


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in the project's folder."""
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=quiet, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Every page is in the navigation, and every link and anchor leads somewhere (else: see what it prints)."""
    done = run("-m", "mkdocs", "build", "--strict", "--quiet", "-f", "deploy/mkdocs.yml", "-d", str(tmp_path / "site"))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (tmp_path / "site" / "settings" / "index.html").exists()


def test_made_parts_are_what_the_code_says() -> None:
    """Settings, errors, the HTTP interface and the list of decisions are as in docs/ (else: make docs)."""
    done = run(".ci/pages.py", "--check")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", ["settings.md", "decisions/index.md"])
def test_a_stale_part_is_found_and_written_anew(page: str, tmp_path: Path) -> None:
    """A part that says something else is named; writing mends it and leaves the words around it alone."""
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    good = (docs / page).read_text(encoding="utf-8")
    (docs / page).write_text(good.replace("<!-- end -->", "an old line\n<!-- end -->"), encoding="utf-8")

    checked = run(".ci/pages.py", "--check", str(docs))
    written = run(".ci/pages.py", str(docs))

    assert (checked.returncode, written.returncode) == (1, 0)
    assert page in checked.stdout
    assert (docs / page).read_text(encoding="utf-8") == good

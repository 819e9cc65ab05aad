"""
Every command in a fenced block of README.md, SECURITY.md and docs/ is run, or listed with the reason why not.

A block (bash, console, sh) is a script: what one line exports, the next one sees. It talks to a gateway with the
names of the documents, in a folder with the files that it names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import yaml

from tests.support.gateway import LOCAL, GatewayProcess, Start, clean_environment, running

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md")))
HOW: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("commands.toml").read_text(encoding="utf-8"))
ADMIN_TOKEN = "canary-of-the-documents"
LIMIT_S = 200  # several commands, each a start of Python
BLOCK = re.compile(r"^```(?P<language>bash|console|sh|shell)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
CONFIG: dict[str, Any] = {
    "admin": {"token": "${WIZARD_ADMIN_TOKEN:-}"},
    "request_log": {"enabled": True},
    "streaming": {"resume": {"enabled": True, "window_s": 3600}},
    "providers": {name: {"kind": "sim"} for name in ("sim", "openai", "box")},
    "models": {
        name: {"targets": [{"provider": "sim", "model": "echo"}]}
        for name in ("fast", "smart", "local/smollm2", "openai/gpt-4o-mini")
    },
}


@dataclass(frozen=True)
class Block:
    """One block of commands, and where it stands."""

    place: str
    commands: tuple[str, ...]


def blocks() -> Iterator[Block]:
    """Find all blocks of commands in the pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            prompted = found["language"] == "console"
            yield Block(f"{page.relative_to(ROOT)}:{line}", tuple(commands(found["text"], prompted=prompted)))


def commands(text: str, *, prompted: bool) -> Iterator[str]:
    """Split a block into commands; with prompts, lines without one are output, unless they go on with a command."""
    command = ""
    for line in text.splitlines():
        if command:
            command = f"{command}\n{line}"
        elif line.startswith("$ ") or not prompted:
            command = line.removeprefix("$ ")
        if command.strip() and is_complete(command):
            yield command
            command = ""
    assert not command.strip(), f"a command that does not end: {command}"


def is_complete(command: str) -> bool:
    """Ask the shell whether a command ends here."""
    if command.rstrip().endswith(("\\", "|")):
        return False
    asked = subprocess.run(["/bin/bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    return "unexpected end of file" not in asked.stderr and "unexpected EOF" not in asked.stderr


def setting_for(command: str, table: str) -> Any:  # noqa: ANN401 - a reason, or a code
    """Return what commands.toml says about a command: the value of the longest beginning that fits, or None."""
    found = [beginning for beginning in HOW[table] if command.startswith(beginning)]
    return HOW[table][max(found, key=len)] if found else None


ALL = tuple(blocks())


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run the gateway that the documents talk about."""
    with running(Start(CONFIG, variables={"WIZARD_ADMIN_TOKEN": ADMIN_TOKEN})) as process:
        yield process


@pytest.fixture(scope="module")
def own(gateway: GatewayProcess) -> Mapping[str, str]:
    """Return what stands for things of the reader's own: addresses, a session, a key, a stream."""
    words = {"model": "fast", "stream": True, "messages": [{"role": "user", "content": "word " * 20}]}
    bearer = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx2.Client(**LOCAL, base_url=gateway.url) as http:
        session = http.post("/v1/sessions", json={}).json()["id"]
        key = http.post("/admin/keys", json={"name": "of-the-documents"}, headers=bearer).json()["id"]
        caller = {"authorization": "Bearer KEY"}
        stream = http.post("/v1/chat/completions", json=words, headers=caller).headers["x-wizard-stream-id"]
    return {
        "stream": stream,
        "url": gateway.url,
        "address": gateway.url.removeprefix("http://"),
        "session": session,
        "key": key,
    }


@pytest.fixture
def folder(tmp_path: Path, gateway: GatewayProcess) -> Path:
    """Return a folder with the files that commands name."""
    config = {**CONFIG, "server": {"port": gateway.port}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "config.new.yaml").write_text(yaml.safe_dump({**config, "timeouts": {"total_s": 120}}))
    (tmp_path / "request.json").write_bytes(msgspec.json.encode({"model": "fast", "prompt": "hi"}))
    shutil.copy(ROOT / "tests" / "config" / "litellm" / "balanced.yaml", tmp_path / "litellm.yaml")
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 90\n")
    return tmp_path


@pytest.mark.parametrize("block", ALL, ids=[block.place for block in ALL])
def test_commands_do_what_they_say(block: Block, folder: Path, own: Mapping[str, str]) -> None:
    """Each command of a block ends with the code that it should, in the order in which they stand."""
    script = "\n".join(checked(command, own) for command in block.commands if not setting_for(command, "skip"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "CURL_HOME": str(folder), "LITELLM_MASTER_KEY": "sk-x"}
    if "WIZARD_ADMIN_TOKEN" in script or "wizard keys" in script:
        variables["WIZARD_ADMIN_TOKEN"] = ADMIN_TOKEN

    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=folder,
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )

    assert done.returncode == 0, f"{block.place}\n{script}\n{done.stdout}\n{done.stderr}"


def checked(command: str, own: Mapping[str, str]) -> str:
    """Return a command with the reader's own things in it, and a look at how it ended."""
    code = setting_for(command, "exits") or 0
    for text, stand_in in HOW["replace"].items():
        command = command.replace(text, stand_in.format_map(own))
    return f'{command}\ncode=$?; [ "$code" -eq {code} ] || {{ echo "ended with $code" >&2; exit 1; }}'


def test_what_is_not_run_is_there_and_has_a_reason() -> None:
    """Nothing is listed that no page says any more, and every reason is a sentence."""
    written = [command for block in ALL for command in block.commands]

    unused = [each for each in HOW["skip"] if not any(command.startswith(each) for command in written)]
    short = [each for each, reason in HOW["skip"].items() if len(reason.split()) < 4]

    assert (unused, short) == ([], [])


def test_blocks_are_found() -> None:
    """The pages have commands, also those that go on over several lines."""
    several = [command for block in ALL for command in block.commands if "\n" in command]

    assert len(ALL) > 20
    assert several
    assert list(commands("$ a \\\n  b\nits output\n$ c 'd\ne'\n", prompted=True)) == ["a \\\n  b", "c 'd\ne'"]

"""A running gateway whose secrets are kept by a source that another package brings along."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.e2e.support.answers import whole
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import Start, eventually, running
from tests.support.planting import plant

SOURCE = """
from pathlib import Path


def read(reference):
    return Path(reference).read_text(encoding="utf-8").strip()
"""


def test_a_secret_is_exchanged_by_a_reload(tmp_path: Path, upstream: Upstream) -> None:
    """What the source says goes to the provider and into no output, and a reload asks it again."""
    kept = tmp_path / "kept"
    plant(tmp_path, "wizard_safe", SOURCE, "[wizard.secrets]\nsafe = wizard_safe:read\n")
    kept.write_text("sk-canary-one", encoding="utf-8")
    upstream.on("kept-secret", whole())
    provider = {"kind": "openai", "base_url": upstream.url, "api_key": f"${{safe:{kept}}}"}
    start = Start({"providers": {"box": provider}}, variables={"PYTHONPATH": str(tmp_path)})

    with running(start) as gateway:
        before = gateway.get("/readyz").json()["config_digest"]
        gateway.ask("box/kept-secret")
        kept.write_text("sk-canary-two", encoding="utf-8")
        gateway.send_signal(signal.SIGHUP)
        eventually(lambda: gateway.get("/readyz").json()["config_digest"] != before, "the secret was never read again")
        gateway.ask("box/kept-secret")

    keys = [request.headers["authorization"] for request in upstream.received("kept-secret")]
    assert keys == ["Bearer sk-canary-one", "Bearer sk-canary-two"]
    assert "sk-canary" not in gateway.stdout.text + gateway.stderr.text

"""Rules, alerts and the dashboard speak of metrics that the gateway really exports, and every alert has a runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
import yaml

from app.state.answers.caching import Caching
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.families import CounterFamily, HistogramFamily, Sampled
from app.telemetry.metrics.on_scrape import (
    OnScrape,
    build,
    cache,
    config_in_use,
    losses,
    provider_keys,
    providers_up,
    workers_replaced,
)

ROOT = Path(__file__).parents[2]
RULES = ("recording.rules.yml", "alerts.rules.yml")
PROMTOOL = shutil.which("promtool") or ""
CHECKS = (
    ("promtool", "check", "config", "--syntax-only", "prometheus/prometheus.yml"),
    ("otelcol", "validate", "--config=otel/collector.yaml"),
    ("caddy", "validate", "--adapter", "caddyfile", "--config", "proxies/Caddyfile"),
    ("haproxy", "-c", "-f", "proxies/haproxy.cfg"),
    ("envoy", "--mode", "validate", "--config-path", "proxies/envoy.yaml"),
)
METRIC = re.compile(r"\bwizard_[a-z0-9_]+\b")
RECORDED = re.compile(r"\bwizard:[a-z0-9_:]+\b")


def exported() -> set[str]:
    """Return every series name that the gateway can export."""
    caching = Caching()
    parts = [
        OnScrape(build, "1"),
        *Metrics().parts,
        OnScrape(provider_keys, lambda: ()),
        OnScrape(providers_up, list),
        OnScrape(config_in_use, str),
        OnScrape(workers_replaced, dict),
        OnScrape(losses, {}),
        OnScrape(cache, caching.tally, caching.view),
    ]
    names: set[str] = set()
    for family in (family for part in parts for family in part.families()):
        if isinstance(family, Sampled):
            names |= {name for name, _, _ in family.rows}
        elif isinstance(family, CounterFamily):
            names.add(f"{family.name}_total")
        elif isinstance(family, HistogramFamily):
            names |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count")}
        else:
            names.add(family.name)
    return names


def rules() -> list[dict[str, Any]]:
    """Return every rule."""
    files = [yaml.safe_load((ROOT / "deploy/prometheus" / name).read_text(encoding="utf-8")) for name in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    """Yield every query of the dashboard."""
    board = msgspec.json.decode((ROOT / "deploy/grafana/dashboards/wizard.json").read_bytes())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_every_query_names_real_metrics() -> None:
    """Of rules and dashboard alike; what is recorded is defined in the rules."""
    expressions = [*[rule["expr"] for rule in rules()], *dashboard_expressions()]
    recorded = {rule["record"] for rule in rules() if "record" in rule}

    named = {name for expression in expressions for name in METRIC.findall(expression)}
    used = {name for expression in expressions for name in RECORDED.findall(expression)}

    assert named - exported() == set()
    assert used - recorded == set()


def test_every_query_is_balanced() -> None:
    """A bracket that is missing shows only when Prometheus starts."""
    for expression in [*[rule["expr"] for rule in rules()], *dashboard_expressions()]:
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression


@pytest.mark.skipif(
    not PROMTOOL, reason="promtool (of Prometheus) is not installed; names and brackets are checked without it"
)
@pytest.mark.parametrize(
    "given", [("check", *(f"deploy/prometheus/{name}" for name in RULES)), ("test", "tests/deploy/alerts.test.yml")]
)
def test_alerts_are_raised_by_what_they_speak_of(given: tuple[str, ...]) -> None:
    """By the word of Prometheus itself: the rules are sound, and each alert fires when it should, with its texts."""
    verb, *files = given

    checked = subprocess.run([PROMTOOL, verb, "rules", *files], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tried() -> None:
    """There is a case for each in what promtool runs."""
    tried = yaml.safe_load((ROOT / "tests/deploy/alerts.test.yml").read_text(encoding="utf-8"))["tests"]

    raised = {case["alertname"] for each in tried for case in each["alert_rule_test"] if case.get("exp_alerts")}

    assert raised == {rule["alert"] for rule in rules() if "alert" in rule}


def test_every_alert_has_a_runbook() -> None:
    """Its link leads to a section of its name, and there is no section without an alert."""
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)
    alerts = [rule for rule in rules() if "alert" in rule]

    assert sections == [alert["alert"] for alert in alerts]
    assert all(alert["annotations"]["runbook"] == f"docs/runbooks.md#{alert['alert'].lower()}" for alert in alerts)
    assert all(alert["labels"]["severity"] in {"critical", "warning", "info"} for alert in alerts)


def test_panels_do_not_overlap() -> None:
    """Each has a place of its own on the grid."""
    board = msgspec.json.decode((ROOT / "deploy/grafana/dashboards/wizard.json").read_bytes())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("command", CHECKS, ids=[program for program, *_ in CHECKS])
def test_who_reads_a_file_takes_it(command: tuple[str, ...], tmp_path: Path) -> None:
    """Where the program is at hand that a file is for; with a certificate, where one has to be there."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    certificate = tmp_path / "tls.pem"
    trustme.CA().issue_cert("llm.example.com").private_key_and_cert_chain_pem.write_to_path(certificate)
    haproxy = tmp_path / "deploy" / "proxies" / "haproxy.cfg"
    haproxy.write_text(haproxy.read_text().replace("/etc/haproxy/tls/llm.example.com.pem", str(certificate)))
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(
            f"{command[0]} is not installed, and only it can judge its own files; docs/operations.md: tried by hand"
        )

    checked = subprocess.run(
        [program, *command[1:]], cwd=tmp_path / "deploy", capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", ["prometheus/prometheus.yml", "otel/collector.yaml", "proxies/envoy.yaml"])
def test_other_files_are_sound(name: str) -> None:
    """They are one YAML document each."""
    assert isinstance(yaml.safe_load((ROOT / "deploy" / name).read_text(encoding="utf-8")), dict)

"""Compose and Kubernetes: everything is hardened, every file that is mounted exists, every configuration is good."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config.load import load

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OVERLAYS = {
    name: yaml.safe_load((ROOT / f"deploy/compose/{name}.yaml").read_text(encoding="utf-8"))
    for name in ("sentinel", "cluster")
}
MANIFESTS = ("wizard.yaml", "redis.yaml")
CHART = ROOT / "deploy/helm/wizard"
HELM = shutil.which("helm") or ""
KUBERNETES = ("1.27", "1.37")  # what the chart demands at least, and the newest that schemas are at hand for
EVERYTHING = """
config:
  server: {host: 0.0.0.0}
  admin: {port: 9901, host: 0.0.0.0}
  providers: {sim: {kind: sim}}
autoscaling:
  enabled: true
  activeRequests: 200
  metrics: [{type: External, external: {metric: {name: overhead_p99_seconds}, target: {type: Value, value: 50m}}}]
podMonitor: {enabled: true}
networkPolicy:
  redis: {podSelector: {matchLabels: {app: redis}}}
  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 8000}]}]
ingress: {enabled: true, className: nginx, host: llm.example.com, tlsSecretName: tls, annotations: {a: b}}
podAnnotations: {a: b}
nodeSelector: {disk: ssd}
tolerations: [{key: gpu, operator: Exists}]
"""
SECRETS = {"OPENAI_API_KEY": "sk-1", "WIZARD_ADMIN_TOKEN": "token"}


def manifests() -> list[dict[str, Any]]:
    """Return every object of the plain manifests."""
    folder = ROOT / "deploy/kubernetes"
    return [each for name in MANIFESTS for each in yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))]


def of_kind(kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind."""
    return [each for each in manifests() if each["kind"] == kind]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_hardened(name: str) -> None:
    """Nothing is written, nothing is privileged, nothing listens beyond this machine, every image is pinned."""
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "build" in service or (not service["image"].endswith((":latest", "alpine:")) and ":" in service["image"])


def test_everything_that_is_mounted_exists() -> None:
    """A missing file would become an empty folder."""
    mounts = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", ())]
    paths = [mount.partition(":")[0] for mount in mounts]

    assert [path for path in paths if path.startswith("./") and not (ROOT / path).exists()] == []
    assert {path for path in paths if not path.startswith("./")} == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("overlay", OVERLAYS.values(), ids=OVERLAYS)
def test_a_redis_of_several_servers(overlay: dict[str, Any], tmp_path: Path) -> None:
    """Laid over the file for one Redis every service is as hard as there, and the gateway's address names services."""
    together = {name: {**COMPOSE["services"].get(name, {}), **each} for name, each in overlay["services"].items()}
    address = together["wizard"]["environment"]["WIZARD_REDIS__URL"]
    (tmp_path / "config.yaml").write_text("providers: {sim: {kind: sim}}", encoding="utf-8")

    load(tmp_path / "config.yaml", {"WIZARD_REDIS__URL": address})

    assert set(re.findall(r"[a-z]+-\d|\bredis(?=[,/])", address.partition("//")[2])) <= together.keys()
    mounted = {volume.partition(":")[0] for each in overlay["services"].values() for volume in each.get("volumes", ())}
    assert mounted == overlay["volumes"].keys()
    for name, each in together.items():
        assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"]), name
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert name == "wizard" or each.get("hostname", name) == name
        assert set(each.get("depends_on", ())) <= together.keys() | COMPOSE["services"].keys()


def test_the_configuration_of_the_manifests_is_good(tmp_path: Path) -> None:
    """The gateway would start with it."""
    (given,) = of_kind("ConfigMap")
    file = tmp_path / "config.yaml"
    file.write_text(given["data"]["config.yaml"], encoding="utf-8")

    settings = load(file, SECRETS).settings

    assert settings.server.host == "0.0.0.0"  # noqa: S104 - compared, not bound
    (deployment,) = of_kind("Deployment")
    grace_s = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s > settings.server.drain_s + settings.server.drain_delay_s


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_every_pod_is_restricted(kind: str) -> None:
    """As the restricted profile of Kubernetes wants it, with probes and bounds."""
    for each in of_kind(kind):
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert "readinessProbe" in container


def test_selectors_find_their_pods() -> None:
    """Services, budgets and policies speak of labels that pods have."""
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind("Deployment") + of_kind("StatefulSet")]
    selectors = [each["spec"]["selector"] for each in of_kind("Service")]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind("PodDisruptionBudget")]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in of_kind("NetworkPolicy")]

    assert all(any(selector.items() <= labels.items() for labels in pods) for selector in selectors)


def test_the_configuration_of_the_chart_is_good(tmp_path: Path) -> None:
    """Its default values would start a gateway."""
    values = yaml.safe_load((ROOT / "deploy/helm/wizard/values.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(values["config"]), encoding="utf-8")

    settings = load(file, SECRETS).settings

    assert values["terminationGracePeriodSeconds"] > settings.server.drain_s + settings.server.drain_delay_s


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_are_what_kubernetes_takes(version: str) -> None:
    """Each has the fields of its kind and no others."""
    for each in manifests():
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.skipif(
    not HELM, reason="helm is not installed, and only it renders the chart; docs/operations.md: tried by hand"
)
@pytest.mark.parametrize("values", ["{}", EVERYTHING], ids=["defaults", "everything"])
def test_the_chart_renders_to_what_kubernetes_takes(values: str, tmp_path: Path) -> None:
    """By the word of Helm itself, which has no complaints: with its own values, and with all that they switch on."""
    file = tmp_path / "values.yaml"
    file.write_text(values, encoding="utf-8")

    linted = helm("lint", "--strict", str(CHART), "--values", str(file))
    rendered = helm("template", "mine", str(CHART), "--kube-version", f"{KUBERNETES[-1]}.0", "--values", str(file))

    assert linted.returncode == 0, linted.stdout
    assert rendered.returncode == 0, rendered.stderr
    objects = [each for each in yaml.safe_load_all(rendered.stdout) if each["kind"] != "PodMonitor"]
    assert len(objects) == (6 if values == "{}" else 8)
    for each in objects:
        for version in KUBERNETES:
            kubernetes_validate.validate(each, version, strict=True)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)

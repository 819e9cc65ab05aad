"""The defaults are those of the contract, and settings cannot be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from app.config.routing import Provider
from app.config.schema import Settings
from tests.config.cases import loaded

# Section 3 of the contract, without its illustrations (keys, providers, models, limits).
CONTRACT = """
server:    {host: 127.0.0.1, port: 8080, workers: 1, body_max_bytes: 10485760, drain_s: 30}
redis:     {url: null}
auth:      {required: false}
timeouts:  {connect_s: 5, first_token_s: 30, idle_s: 30, total_s: 300}
validation: {max_messages: 2048, max_prompt_chars: 2000000, max_json_depth: 64, allow_control_chars: false}
redaction: {enabled: false, detectors: [email, phone, credit_card, iban, ssn, ip, secrets], action: tokenize,
            streaming_window_chars: 128}
guards:    {injection: {policy: none}}
cache:     {enabled: false, ttl_s: 3600, max_entries: 1000, max_bytes: 104857600, eviction: lru, scope: key,
            semantic: {enabled: false}}
circuit_breaker: {failure_threshold: 5, window_s: 60, failure_ratio: 0.5, open_s: 30, open_max_s: 300,
                  half_open_max_calls: 1}
retry:     {max_attempts: 3, base_s: 0.25, max_s: 8, multiplier: 2, jitter: 0.25, budget_ratio: 0.2,
            budget_floor_per_s: 3}
fallback:  {triggers: [timeout, network, rate_limit, server_error, circuit_open, context_length]}
streaming: {buffer_bytes: 65536, overflow: block, keep_alive_s: 15, commit: visible}
sessions:  {store: memory, path: null, ttl_s: 86400, max_bytes: 1048576}
logging:   {level: info, format: json}
metrics:   {enabled: true}
tracing:   {enabled: false, endpoint: null, sample_ratio: 1.0}
"""
ILLUSTRATIONS = """
admin:     {token: "${WIZARD_ADMIN_TOKEN:-}"}
providers:
  openai:  {kind: openai, base_url: https://api.openai.com/v1, api_key: "${OPENAI_API_KEY}"}
  claude:  {kind: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  box:     {kind: openai, base_url: http://127.0.0.1:9001/v1, api_key: null}
models:
  fast:
    targets: [{provider: openai, model: gpt-4o-mini, weight: 3}, {provider: box, model: small}]
    strategy: sequential
    fallbacks: [big]
  big:
    targets: [{provider: claude, model: claude-sonnet-4-5}]
"""


def test_defaults_are_those_of_the_contract() -> None:
    """What is left out of a configuration has the value that the contract lists."""
    defaults = Settings().model_dump()

    listed = yaml.safe_load(CONTRACT)
    for section, values in listed.items():
        for name, value in values.items():
            given = defaults[section][name]
            given = {key: given[key] for key in value} if isinstance(value, dict) else given  # which may have more
            comparable = sorted(given) if isinstance(given, frozenset) else given
            comparable = list(comparable) if isinstance(comparable, tuple) else comparable
            if isinstance(value, dict):  # of a section within a section the contract shows a part
                comparable = {each: given[each] for each in value}
            assert comparable == (sorted(value) if isinstance(given, frozenset) else value), f"{section}.{name}"
    assert {
        "keys",
        "limits",
        "providers",
        "models",
        "admin",
        "admission",
        "budgets",
        "prices",
        "usage",
        "alerts",
        "idempotency",
        "catalogue",
        "tokenizer",
        "request_log",
        "passthrough",
        "files",
        "upstream",
    } == defaults.keys() - listed.keys()


def test_the_empty_sections_of_the_contract_are_empty() -> None:
    """Keys, limits, providers, models and the admin token are illustrations in the contract, and empty by default."""
    settings = Settings()

    assert ((), (), {}, {}) == (settings.keys, settings.limits, settings.providers, settings.models)
    assert settings.admin.token == SecretStr("")


def test_the_example_of_the_contract_loads(tmp_path: Path) -> None:
    """A file with the values of the contract is accepted as it stands."""
    environ = {"OPENAI_API_KEY": "sk-one", "ANTHROPIC_API_KEY": "sk-two"}

    settings = loaded(tmp_path, CONTRACT + ILLUSTRATIONS, environ).settings

    assert settings.providers["openai"].api_key == SecretStr("sk-one")
    assert settings.providers["claude"].base_url == "https://api.anthropic.com/v1"
    assert [3, 1] == [target.weight for target in settings.models["fast"].targets]


def test_settings_are_frozen() -> None:
    """Neither a section nor the root can be changed after loading."""
    settings = Settings()

    with pytest.raises(ValidationError):
        setattr(settings.server, "port", 1)  # noqa: B010 - an assignment would not type-check
    with pytest.raises(ValidationError):
        setattr(settings, "server", settings.server)  # noqa: B010


def test_settings_made_directly_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `load` looks at the environment, so that tests and tools get what they ask for."""
    monkeypatch.setenv("WIZARD_SERVER__PORT", "1")

    port = Settings().server.port

    assert port == 8080


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://example.com/v1/", "https://example.com/v1"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("", "https://api.openai.com/v1"),
        (None, "https://api.openai.com/v1"),
    ],
)
def test_base_url_is_tidied(given: str | None, kept: str) -> None:
    """A trailing slash goes, and an empty address is the one of the kind."""
    provider = Provider.model_validate({"kind": "openai", "base_url": given})

    assert provider.base_url == kept


def test_header_names_are_lower_case() -> None:
    """Header names compare without case, so they are kept in one form."""
    provider = Provider.model_validate({"kind": "openai", "headers": {"X-Team": "a"}})

    assert provider.headers == {"x-team": "a"}


@pytest.mark.parametrize("kind", ["sim", "local"])
def test_kinds_inside_the_gateway_have_no_address(kind: str) -> None:
    """The scripted and the local provider are not reached through a configured address."""
    provider = Provider.model_validate({"kind": kind})

    assert provider.base_url is None

"""Configurations of the LiteLLM proxy, told in this gateway's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.cli import main
from app.config.litellm.convert import Imported, convert
from app.config.load import load
from app.config.schema import Settings
from tests.cli.conftest import Write, write

__all__ = ["write"]

HERE = Path(__file__).parent
SAMPLES = sorted(path.name for path in HERE.glob("*.yaml"))
# What a configuration of LiteLLM's needs to be set, whatever gateway reads it.
NEEDED = {"LITELLM_MASTER_KEY": "sk-master-of-litellm"}
Capture = pytest.CaptureFixture[str]


def one(params: dict[str, Any], name: str = "m", **others: Any) -> Imported:  # noqa: ANN401 - JSON
    """Convert a configuration with one deployment."""
    return convert({"model_list": [{"model_name": name, "litellm_params": params}], **others})


def told(found: Imported) -> dict[str, str]:
    """Return the notes by each of their places."""
    return {path: note.text for note in found.notes for path in note.paths}


def sample(name: str, folder: Path) -> Settings:
    """Convert a sample, and return the settings that its text is read as."""
    file = folder / "config.json"
    file.write_bytes(msgspec.json.encode(convert(yaml.safe_load((HERE / name).read_text())).settings))
    return load(file, NEEDED).settings


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_printed_passes_the_check(
    name: str, write: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed text is a good configuration, without any provider's key being set."""
    for variable, value in NEEDED.items():
        monkeypatch.setenv(variable, value)

    imported = main(["import", "litellm", str(HERE / name)])
    text = capsys.readouterr().out
    checked = main(["check", "--config", write(text)])

    printed = capsys.readouterr()
    assert (imported, checked, printed.err) == (0, 0, "")
    assert "good" in printed.out
    assert "*id" not in text


@pytest.mark.parametrize("name", SAMPLES)
def test_every_setting_is_carried_over_or_told_of(name: str, capsys: Capture) -> None:
    """A setting that nobody has heard of is in the notes, wherever it stands."""
    tree = yaml.safe_load((HERE / name).read_text())
    tree["model_list"][0]["litellm_params"]["unheard_of"] = 1
    for section in ("router_settings", "litellm_settings", "general_settings"):
        tree.setdefault(section, {})["unheard_of"] = 1

    notes = told(convert(tree))

    for place in ("model_list[0].litellm_params", "router_settings", "litellm_settings", "general_settings"):
        assert notes[f"{place}.unheard_of"] == "there is no such setting here"
    assert capsys.readouterr().out == ""


def test_balanced_servers_with_ranks(tmp_path: Path) -> None:
    """Deployments of one name are targets, ranks are routes behind each other, numbers are those of the file."""
    settings = sample("balanced.yaml", tmp_path)

    first, second = settings.models["gpt-4o"], settings.models["gpt-4o.rank-2"]
    assert [target.provider for target in first.targets] == ["openai"]
    assert first.fallbacks == ("gpt-4o.rank-2", "claude", "anthropic/claude-haiku-4-5", "zephyr-beta")
    assert (len(second.targets), second.strategy) == (2, "latency")
    assert (first.targets[0].context_window, first.targets[0].max_in_flight) == (128_000, 20)
    assert settings.prices["openai/gpt-4o"].input == pytest.approx(2.5)
    assert (settings.retry.max_attempts, settings.retry.base_s) == (3, 1)
    assert (settings.timeouts.first_token_s, settings.timeouts.response_s, settings.timeouts.total_s) == (60, 60, 180)
    assert (settings.circuit_breaker.failure_threshold, settings.circuit_breaker.open_s) == (4, 45)
    assert "content_policy" in settings.fallback.triggers
    assert (settings.budgets[0].usd, settings.budgets[0].period) == (100, "month")
    assert [(limit.requests, limit.tokens) for limit in settings.limits] == [(60, None), (None, 1000), (600, None)]
    assert (settings.server.body_max_bytes, settings.admission.max_in_flight) == (20 * 1_048_576, 100)
    assert settings.tracing.enabled
    assert {provider.unsupported for provider in settings.providers.values()} == {"error"}
    redis = settings.redis.url
    assert redis is not None
    assert redis.get_secret_value() == "redis://:@redis.internal:6380"


def test_families_and_credentials(tmp_path: Path) -> None:
    """Stars stay stars, credentials are found by name, and what has no counterpart is left out with its reason."""
    settings = sample("wildcards.yaml", tmp_path)
    notes = told(convert(yaml.safe_load((HERE / "wildcards.yaml").read_text())))

    assert settings.models["openai/*"].targets[0].model == "*"
    assert set(settings.models) == {"openai/*", "anthropic/*", "groq-*", "gemini-flash", "deep", "smart"}
    assert settings.models["smart"].targets == settings.models["deep"].targets
    assert (settings.providers["openai-2"].api, settings.providers["openai-2"].headers) == (
        "responses",
        {"x-team": "red"},
    )
    assert not settings.auth.required
    assert settings.server.host == "127.0.0.1"
    for place, word in (("[4]", "publishers"), ("[6]", "replicate"), ("[7]", "environment")):
        assert word in notes[f"model_list{place}"]
    assert notes["environment_variables"].endswith("OPENAI_API_KEY")


def test_the_cache_and_its_redis(tmp_path: Path) -> None:
    """A cluster's address, times and operations are carried over; a cache that callers had to ask for is off."""
    settings = sample("cached.yaml", tmp_path)

    redis = settings.redis.url
    assert redis is not None
    assert redis.get_secret_value() == "rediss+cluster://:pa%24%24%3Aword@10.0.0.1:7001,10.0.0.2:7001"
    assert settings.redis.key_prefix == "gateway"
    assert (settings.cache.enabled, settings.cache.ttl_s, settings.cache.operations) == (
        False,
        600,
        ("chat", "embeddings"),
    )
    assert (settings.cache.semantic.enabled, settings.cache.semantic.threshold) == (False, 0.8)
    assert not settings.circuit_breaker.enabled
    assert settings.models["small"].strategy == "cost"


def test_the_master_key_goes_on_working(tmp_path: Path) -> None:
    """A literal master key is admin token and virtual key; callers need one from now on."""
    settings = sample("quickstart.yaml", tmp_path)

    assert settings.auth.required
    assert settings.keys[0].hash == "sha256:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
    assert settings.admin.token.get_secret_value() == "sk-1234"
    assert [target.weight for target in settings.models["gpt-4o"].targets] == [6, 12]
    assert settings.models["gpt-4"].targets == settings.models["gpt-4o"].targets
    assert {"gpt-*", "claude-*", "gemini-*"} <= set(settings.models)


def test_openais_key_is_not_sent_to_others() -> None:
    """LiteLLM's default variable belongs to OpenAI; a server at another address gets what its entry names."""
    elsewhere = one({"model": "openai/small", "api_base": "http://10.0.0.1/v1"}).settings["providers"]
    at_home = one({"model": "openai/small"}).settings["providers"]

    assert elsewhere == {"server": {"kind": "openai", "base_url": "http://10.0.0.1/v1"}}
    assert at_home == {"openai": {"kind": "openai", "api_key": "${OPENAI_API_KEY:-}"}}


@pytest.mark.parametrize(
    ("params", "kind", "model"),
    [
        ({"model": "gpt-4o"}, "openai", "gpt-4o"),
        ({"model": "claude-sonnet-4-5"}, "anthropic", "claude-sonnet-4-5"),
        ({"model": "mine", "api_base": "http://h/v1"}, "openai", "mine"),
        ({"model": "mine", "custom_llm_provider": "groq"}, "groq", "mine"),
        ({"model": "a/b", "custom_llm_provider": "groq"}, "groq", "a/b"),
        ({"model": "bedrock/converse/us.amazon.nova"}, "bedrock", "us.amazon.nova"),
        ({"model": "hosted_vllm/org/model", "api_base": "http://h/v1"}, "vllm", "org/model"),
        ({"model": "azure/responses/o3", "api_base": "https://x.openai.azure.com"}, "azure", "o3"),
    ],
)
def test_names_of_models(params: dict[str, Any], kind: str, model: str) -> None:
    """The provider is what stands before the slash, what the entry says, or what the name is known to belong to."""
    settings: Any = one(params).settings

    (provider,) = settings["providers"].values()
    assert provider["kind"] == kind
    assert settings["models"]["m"]["targets"][0]["model"] == model


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"model": "sagemaker/x"}, "SageMaker"),
        ({"model": "unheard/x"}, "kind openai"),
        ({"model": "nobodys-model"}, "write provider/model"),
        ({}, "no model"),
        (None, "no model"),
    ],
)
def test_models_without_a_counterpart(params: Any, word: str) -> None:  # noqa: ANN401 - JSON
    """They are left out, and the note says why and what to do."""
    found = one(params)

    assert "models" not in found.settings
    assert word in told(found)["model_list[0]"]


def test_prices_that_belong_to_the_strategy() -> None:
    """Strategy cost stays, and compares the prices that the import has found."""
    params = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    entries = [
        {"model_name": "m", "litellm_params": {"model": f"groq/{name}", **params, **more}}
        for name, more in (("a+b", {"rpm": 5}), ("a b", {"rpm": 7, "weight": 0}), ("a+b", {"rpm": 5}))
    ]

    settings: Any = convert(
        {"model_list": entries, "router_settings": {"routing_strategy": "cost-based-routing"}}
    ).settings

    route = settings["models"]["m"]
    assert route["strategy"] == "cost"
    assert {name: price["output"] for name, price in settings["prices"].items()} == {"groq/a+b": 2, "groq/a b": 2}
    assert [limit["name"] for limit in settings["limits"]] == ["groq-a-b-rpm", "groq-a-b-rpm-2"]


def test_a_strategy_that_nobody_knows() -> None:
    """It becomes LiteLLM's own default, and is told."""
    found = one({"model": "gpt-4o"}, router_settings={"routing_strategy": "magic", "num_retries": "nan"})

    assert "magic has no counterpart" in told(found)["router_settings.routing_strategy"]
    assert "number" in told(found)["router_settings.num_retries"]


def test_credentials_of_google_that_are_no_file() -> None:
    """JSON in the file has to become a file of its own; a path is taken as it is."""
    params = {"model": "vertex_ai/gemini-2.5-pro"}

    inline: Any = one({**params, "vertex_credentials": '{"type": "service_account"}'})
    path: Any = one({**params, "vertex_credentials": "/run/key.json"})

    assert "credentials_file" in told(inline)["model_list[0].litellm_params.vertex_credentials"]
    assert "credentials_file" not in inline.settings["providers"]["vertex"]
    assert path.settings["providers"]["vertex"]["credentials_file"] == "/run/key.json"


def test_an_entry_without_a_name() -> None:
    """It is left out, too."""
    found = convert({"model_list": [{"litellm_params": {"model": "gpt-4o"}}, 7]})

    assert "models" not in found.settings
    assert set(told(found)) >= {"model_list[0]", "model_list[1]"}


def test_several_organizations_are_several_targets() -> None:
    """Each has a provider that differs by one header."""
    settings: Any = one({"model": "gpt-4o", "organization": ["org-1", "org-2"]}).settings

    headers = [provider["headers"] for provider in settings["providers"].values()]
    assert headers == [{"openai-organization": "org-1"}, {"openai-organization": "org-2"}]
    assert len(settings["models"]["m"]["targets"]) == 2


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        ({"host": "h"}, "redis://h:6379"),
        ({"host": "os.environ/HOST", "password": "os.environ/PASS"}, "redis://:${PASS:-}@${HOST}:6379"),
        ({"redis_url": "os.environ/REDIS_URL"}, "${REDIS_URL}"),
        ({"sentinel_nodes": [["h", 26379]], "service_name": "mine"}, "redis+sentinel://h:26379/mine"),
    ],
)
def test_addresses_of_redis(cache: dict[str, Any], url: str) -> None:
    """Parts become one address; what is in the environment stays there."""
    found: Any = one({"model": "gpt-4o"}, litellm_settings={"cache": True, "cache_params": cache}).settings

    assert found["redis"]["url"] == url


def test_a_local_cache_needs_no_redis() -> None:
    """And one in a bucket becomes one in memory, which is told."""
    local = one({"model": "gpt-4o"}, litellm_settings={"cache": True, "cache_params": {"type": "local"}})
    bucket = one({"model": "gpt-4o"}, litellm_settings={"cache": True, "cache_params": {"type": "s3"}})

    assert local.settings["cache"] == {"enabled": True}
    assert "redis" not in local.settings
    assert "answers are stored in memory or Redis" in [note.text for note in bucket.notes]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("1d", {"period": "day"}), ("45m", {"period": "total", "window_s": 2700}), ("soon", {"period": "total"})],
)
def test_budgets_of_the_proxy(duration: str, expected: dict[str, Any]) -> None:
    """A length of time is a period where there is one, else a rolling window."""
    settings = {"max_budget": 5, "budget_duration": duration}

    found: Any = one({"model": "gpt-4o"}, litellm_settings=settings).settings

    assert found["budgets"] == [{"name": "proxy", "per": "global", "usd": 5, **expected}]


def test_included_files_belong_to_it(write: Write, capsys: Capture) -> None:
    """Lists are joined, and so are sections."""
    write("include: [more.yaml]\nlitellm_settings: {num_retries: 1}\nmodel_list: []\n", "litellm.yaml")
    write(
        "model_list: [{model_name: m, litellm_params: {model: gpt-4o}}]\nlitellm_settings: {set_verbose: true}\n"
        "general_settings: {master_key: sk-1}\n",
        "more.yaml",
    )

    code = main(["import", "litellm", "litellm.yaml", "--json"])

    found = msgspec.json.decode(capsys.readouterr().out)
    assert code == 0
    assert found["settings"]["retry"] == {"max_attempts": 2}
    assert found["settings"]["models"] == {"m": {"targets": [{"provider": "openai", "model": "gpt-4o"}]}}
    assert found["settings"]["logging"] == {"level": "debug"}
    assert {"paths", "text"} == set(found["notes"][0])


def test_what_is_no_configuration_of_litellm(write: Write, capsys: Capture) -> None:
    """A file without a model_list, or none at all, is told as every bad configuration; exit code 2."""
    codes = [main(["import", "litellm", name]) for name in (write("server: {port: 1}"), "missing.yaml")]

    assert codes == [2, 2]
    assert "model_list" in capsys.readouterr().err


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.sampled_from(["gpt-4o", "os.environ/A"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["model_name", "litellm_params", "model", "fallbacks", "cache", "cache_params", "timeout", "rpm"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"model_list": st.lists(junk, max_size=3)},
        optional=dict.fromkeys(("router_settings", "litellm_settings", "general_settings", "credential_list"), junk),
    )
)
def test_nonsense_is_told_of_and_never_fails(tree: dict[str, Any]) -> None:
    """Whatever stands in a file that YAML takes, it is converted as far as it makes sense."""
    found = convert(tree)

    assert "server" in found.settings
    assert all(note.paths for note in found.notes)

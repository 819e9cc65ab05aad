"""Where settings come from, and which source wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.config.load import EMBEDDED, Source, find, load
from app.config.presets import PRESETS
from app.core.configuration import ConfigError
from tests.config.cases import loaded, problem


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, where no ./config.yaml lies around."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_finds_the_named_file_first(folder: Path) -> None:
    """The command line beats WIZARD_CONFIG, which beats ./config.yaml, which beats the embedded default."""
    nothing = find(None, {})
    (folder / "config.yaml").touch()

    local = find(None, {"WIZARD_CONFIG": ""})
    named = find(None, {"WIZARD_CONFIG": "other.toml"})
    argued = find(Path("mine.json"), {"WIZARD_CONFIG": "other.toml"})

    assert (None, Path("config.yaml"), Path("other.toml"), Path("mine.json")) == (nothing, local, named, argued)


def test_load_reads_what_find_finds(folder: Path) -> None:
    """Loading without a path follows WIZARD_CONFIG."""
    (folder / "other.yaml").write_text("server: {port: 1}")

    result = load(None, {"WIZARD_CONFIG": "other.yaml"})

    assert ("other.yaml", 1) == (result.source, result.settings.server.port)


@pytest.mark.usefixtures("folder")
def test_a_directory_called_config_yaml_is_no_silent_default() -> None:
    """A mount that made a directory where the file should be is refused, instead of starting something else."""
    Path("config.yaml").mkdir()

    with pytest.raises(ConfigError) as caught:
        load(None, {})

    assert "configuration file" == caught.value.problems[0].path


@pytest.mark.usefixtures("folder")
def test_a_dead_link_called_config_yaml_is_no_silent_default() -> None:
    """A mount that has not come yet is refused as well."""
    Path("config.yaml").symlink_to("nowhere.yaml")

    with pytest.raises(ConfigError) as caught:
        load(None, {})

    assert caught.value.problems[0].suggestion.endswith("No such file or directory")


@pytest.mark.usefixtures("folder")
def test_embedded_default_takes_every_key_of_the_environment() -> None:
    """Without a file there is the sim provider, and one provider for each usual key that is set and not empty."""
    keys = {variable: f" key-of-{name} " for name, preset in PRESETS.items() for variable in preset.key_env}
    places = {"AWS_REGION": "eu-central-1"}

    result = load(None, {**keys, **places, "GROQ_API_KEY": ""})

    providers = result.settings.providers
    wanted = {name for name, preset in PRESETS.items() if preset.key_env and preset.automatic}
    assert EMBEDDED == result.source
    assert {"sim", *wanted} - {"groq", "cloudflare"} == providers.keys()  # of the last one the account is missing
    assert providers["mistral"].api_key == SecretStr("key-of-mistral")
    assert providers["mistral"].base_url == PRESETS["mistral"].base_url
    assert providers["bedrock"].base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert providers["sim"].models == ("echo",)
    assert {name for name, provider in providers.items() if not provider.discover} == {"sim"}


def test_environment_beats_file_beats_extra_beats_default(folder: Path) -> None:
    """Four sources, each setting from the strongest that has it."""
    file = folder / "a.yaml"
    file.write_text("server: {host: file, workers: 2}\nauth: {allow_open: true}\ntimeouts: {idle_s: 7}")
    extra = {"server": {"host": "extra", "workers": 9, "drain_s": 9}, "providers": {"box": {"kind": "ollama"}}}

    settings = load(file, {"WIZARD_SERVER__HOST": "environment"}, extra).settings

    assert ("environment", 2, 9) == (settings.server.host, settings.server.workers, settings.server.drain_s)
    assert (7, 8080) == (settings.timeouts.idle_s, settings.server.port)
    assert "http://127.0.0.1:11434" == settings.providers["box"].base_url


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "server: {port: 9, workers: 2}\nproviders: {s: {kind: sim}}"),
        ("a.yml", "\ufeffserver: {port: 9, workers: 2}\nproviders: {s: {kind: sim}}"),
        ("a.toml", "[server]\nport = 9\nworkers = 2\n[providers.s]\nkind = 'sim'"),
        ("a.JSON", '{"server": {"port": 9, "workers": 2}, "providers": {"s": {"kind": "sim"}}}'),
    ],
)
def test_yaml_toml_and_json_say_the_same(folder: Path, name: str, text: str) -> None:
    """The suffix chooses the format, and the same content gives the same digest."""
    expected = loaded(folder, json.dumps({"server": {"port": 9, "workers": 2}, "providers": {"s": {"kind": "sim"}}}))

    result = loaded(folder, text, name=name)

    assert expected.settings == result.settings
    assert expected.digest == result.digest


@pytest.mark.parametrize("text", ["", " \n", "# only a comment\n", "---\n", "server:\n  # port: 1\nproviders:\n"])
def test_what_is_empty_means_defaults(folder: Path, text: str) -> None:
    """An empty file, and a section with nothing but comments in it, change nothing."""
    settings = loaded(folder, text).settings

    assert (8080, {}) == (settings.server.port, settings.providers)


def test_variables_reach_every_depth(folder: Path) -> None:
    """Variables name settings by path, lists and mappings are JSON, and case does not matter."""
    environ = {
        "WIZARD_PROVIDERS__Box__KIND": "openai",
        "WIZARD_PROVIDERS__BOX__API_KEY": "1234",
        "WIZARD_PROVIDERS__BOX__HEADERS": '{"X-Team": "a"}',
        "WIZARD_MODELS__FAST": '{"targets": [{"provider": "box", "model": "small"}]}',
        "WIZARD_MODELS__FAST__FALLBACKS": '["box/large"]',
        "wizard_guards__injection__policy": "none",
        "WIZARD_FALLBACK__TRIGGERS": '["timeout"]',
    }

    settings = loaded(folder, "", environ).settings

    assert settings.providers["box"].api_key == SecretStr("1234")
    assert settings.providers["box"].headers == {"x-team": "a"}
    assert ("small", ("box/large",)) == (settings.models["fast"].targets[0].model, settings.models["fast"].fallbacks)
    assert settings.fallback.triggers == {"timeout"}


def test_an_empty_variable_is_not_set_and_null_is_null(folder: Path) -> None:
    """Empty variables, which container tools like to make, change nothing; the text null takes a value away."""
    text = "providers: {box: {kind: openai, base_url: http://box, api_key: k}}"
    environ = {"WIZARD_SERVER__PORT": "", "WIZARD_PROVIDERS__BOX__API_KEY": "null", "WIZARD_REDIS__URL": "null"}

    settings = loaded(folder, text, environ).settings

    assert (8080, None) == (settings.server.port, settings.providers["box"].api_key)


def test_variables_of_kubernetes_services_are_no_settings(folder: Path) -> None:
    """A Service whose name starts with wizard puts variables into every pod, which mean nothing here."""
    environ = {
        "WIZARD_SERVICE_HOST": "10.0.0.1",
        "WIZARD_SERVICE_PORT": "80",
        "WIZARD_SERVICE_PORT_HTTP": "80",
        "WIZARD_PORT": "tcp://10.0.0.1:80",
        "WIZARD_PORT_80_TCP": "tcp://10.0.0.1:80",
        "WIZARD_PORT_80_TCP_ADDR": "10.0.0.1",
        "WIZARD_REDIS_SERVICE_HOST": "10.0.0.2",
        "WIZARD_REDIS_PORT": "tcp://10.0.0.2:6379",
    }

    settings = loaded(folder, "", environ).settings

    assert settings.server.port == 8080


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("WIZARD_SERVER_PORT", "did you mean WIZARD_SERVER__PORT?"),
        ("WIZARD_SEVER__PORT", "did you mean WIZARD_SERVER__PORT?"),
        ("WIZARD_PORT", "did you mean WIZARD_SERVER__PORT?"),
        ("WIZARD_HOST", "did you mean WIZARD_SERVER__HOST?"),
        ("WIZARD_ADMIN_TOKN", "did you mean WIZARD_ADMIN__TOKEN?"),
        ("wizard_config", "did you mean WIZARD_CONFIG?"),
        ("WIZARD_PROVIDERS__BOX__API_KYE", "did you mean WIZARD_PROVIDERS__BOX__API_KEY?"),
        ("WIZARD_SERVER__PORT__X", "did you mean WIZARD_SERVER__PORT?"),
        ("WIZARD_LIMITS__0__PER", "set the whole list, as JSON: WIZARD_LIMITS"),
        ("WIZARD_MODELS__FAST__TARGETS__0__MODEL", "set the whole list, as JSON: WIZARD_MODELS__FAST__TARGETS"),
        ("WIZARD_COLOUR_THEME_OF_THE_DASHBOARD", "unset it; docs/configuration.md explains the names"),
    ],
)
def test_an_unknown_variable_is_a_problem(folder: Path, name: str, suggestion: str) -> None:
    """A misspelt variable never passes in silence, and its value is not shown."""
    found = problem(folder, "", {name: "value-of-it"})

    assert (name, "(a text)") == (found.path, found.value)
    assert found.expected == "the path of a setting: WIZARD_ and its parts joined by two underscores"
    assert found.suggestion == suggestion
    assert found.file == f"environment variable {name}"


def test_a_variable_that_the_file_uses_is_known(folder: Path) -> None:
    """`${WIZARD_HOUSE:-}` in the file makes that name an ordinary one."""
    text = 'admin: {token: "${WIZARD_HOUSE:-}"}'

    token = loaded(folder, text, {"WIZARD_HOUSE": "t"}).settings.admin.token

    assert token.get_secret_value() == "t"


@pytest.mark.parametrize(
    ("text", "environ", "token"),
    [
        ("", {}, "default"),
        ("admin:\n", {}, "default"),
        ("admin: {token: of the file}", {}, "of the file"),
        ("admin: {token: ''}", {}, ""),
        ("admin: {token: null}", {}, ""),
        ("admin: {token: of the file}", {"WIZARD_ADMIN__TOKEN": "null"}, ""),
        ("", {"WIZARD_ADMIN__TOKEN": "of the setting"}, "of the setting"),
    ],
)
def test_the_admin_token_has_a_variable_of_its_own(
    folder: Path, text: str, environ: dict[str, str], token: str
) -> None:
    """WIZARD_ADMIN_TOKEN, which the command line sends, is expected unless something else is written."""
    settings = loaded(folder, text, {"WIZARD_ADMIN_TOKEN": "default", **environ}).settings

    assert settings.admin.token.get_secret_value() == token


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("timeout", {"timeout"}),
        ("timeout, network", {"timeout", "network"}),
        ("timeout,network,", {"timeout", "network"}),
        ('["timeout"]', {"timeout"}),
    ],
)
def test_a_list_of_words_from_a_variable(folder: Path, value: str, found: set[str]) -> None:
    """With commas between them, or as JSON."""
    settings = loaded(folder, "", {"WIZARD_FALLBACK__TRIGGERS": value}).settings

    assert settings.fallback.triggers == found


@pytest.mark.parametrize("value", ["timeout,,network", "timeout,timeouts"])
def test_a_wrong_word_of_a_list_from_a_variable(folder: Path, value: str) -> None:
    """It is named by its position."""
    assert problem(folder, "", {"WIZARD_FALLBACK__TRIGGERS": value}).path == "fallback.triggers[1]"


@pytest.mark.parametrize(
    ("name", "variable"),
    [("Box", "BOX"), ("my-box", "MY_BOX"), ("my-box", "MY-BOX"), ("My.Box", "MY_BOX"), ("my_box", "MY_BOX")],
)
def test_a_variable_reaches_every_name_of_the_file(folder: Path, name: str, variable: str) -> None:
    """Capitals, and what a shell allows in no variable, are no obstacle; a problem names the variable as it is."""
    text = f'providers: {{"{name}": {{kind: openai}}}}\nprices: {{"{name}/gpt-4o": {{input: 1}}}}'
    environ = {
        f"WIZARD_PROVIDERS__{variable}__API_KEY": "k",
        f"WIZARD_PRICES__{variable}_GPT_4O__INPUT": "2",
    }

    settings = loaded(folder, text, environ).settings
    wrong = problem(folder, text, {**environ, f"WIZARD_PROVIDERS__{variable}__BASE_URL": "x"})

    assert settings.providers.keys() == {name}
    assert (settings.providers[name].api_key, settings.prices[f"{name}/gpt-4o"].input) == (SecretStr("k"), 2)
    assert wrong.file == f"environment variable WIZARD_PROVIDERS__{variable}__BASE_URL"


def test_a_name_that_fits_two_of_the_file_is_one_of_its_own(folder: Path) -> None:
    """Nobody can tell which is meant, so neither is; the exact name is always meant."""
    text = "providers: {a-b: {kind: openai}, A.B: {kind: openai}}"

    found = problem(folder, text, {"WIZARD_PROVIDERS__A_B__API_KEY": "k"})
    exact = loaded(folder, text, {"WIZARD_PROVIDERS__A-B__API_KEY": "k"}).settings.providers

    assert ("providers.a_b.kind", "(missing)") == (found.path, found.value)
    assert {"A.B": None, "a-b": SecretStr("k")} == {name: given.api_key for name, given in exact.items()}


def test_a_section_in_capitals_is_no_second_one(folder: Path) -> None:
    """It would hide the other, also from the environment."""
    found = problem(folder, "server: {port: 1}\nServer: {port: 2}")

    assert ("Server", "did you mean server?") == (found.path, found.suggestion)


@pytest.mark.parametrize("name", ["a.yaml", "a.json", "a.toml"])
def test_sections_that_begin_with_x_are_for_anchors(folder: Path, name: str) -> None:
    """What YAML's aliases repeat may stand in a place of its own, as in files of Docker Compose."""
    texts = {
        "a.yaml": "x-box: &box {kind: openai, api_key: k}\nproviders: {a: *box, b: {<<: *box, api_key: l}}",
        "a.json": '{"x-note": "mine", "providers": {"a": {"kind": "openai", "api_key": "k"}}}',
        "a.toml": "[x-note]\n[providers.a]\nkind = 'openai'\napi_key = 'k'",
    }

    settings = loaded(folder, texts[name], name=name).settings

    assert settings.providers["a"].api_key == SecretStr("k")


@pytest.mark.parametrize("level", ["WARNING", "Warning", "warning"])
def test_the_level_of_the_log_may_be_in_capitals(folder: Path, level: str) -> None:
    """As most programs take it."""
    settings = loaded(folder, "", {"WIZARD_LOGGING__LEVEL": level}).settings

    assert settings.logging.level == "warning"


@pytest.mark.parametrize(
    "text",
    [
        "sessions: {path: '${NONE:-}'}",
        "admission: {max_in_flight: '${NONE:-}'}",
        "tracing: {service_name: ' ', endpoint: ''}",
        "providers: {a: {kind: openai, max_tokens: '${NONE:-}'}}",
        "cache: {semantic: {model: ''}}",
    ],
)
def test_what_may_be_null_may_be_empty(folder: Path, text: str) -> None:
    """A placeholder that stays empty is a setting that is left out, whatever it is."""
    expected = loaded(folder, "providers: {a: {kind: openai}}" if "providers" in text else "").digest

    assert loaded(folder, text).digest == expected


def test_a_problem_names_the_variable_it_comes_from(folder: Path) -> None:
    """The reader is sent to the environment, and not to the file, when the bad value stands there."""
    environ = {"WIZARD_SERVER__PORT": "many", "WIZARD_TIMEOUTS": '{"idle_s": -1}'}

    with pytest.raises(ConfigError) as caught:
        loaded(folder, "server: {port: 1}", environ)

    places = {found.path: found.file for found in caught.value.problems}
    assert places == {
        "server.port": "environment variable WIZARD_SERVER__PORT",
        "timeouts.idle_s": "environment variable WIZARD_TIMEOUTS",
    }


def test_a_list_that_is_no_json_is_explained(folder: Path) -> None:
    """What begins like JSON must be JSON, and the suggestion shows how."""
    environ = {"WIZARD_FALLBACK__TRIGGERS": '["timeout", "network"'}

    found = problem(folder, "", environ)

    assert ("fallback.triggers", "(a text)") == (found.path, found.value)
    assert found.expected.startswith("a list of timeout, network")
    assert '["one", "two"]' in found.suggestion


def test_a_bad_extra_is_explained(folder: Path) -> None:
    """What the caller adds is checked like everything else."""
    (folder / "a.yaml").touch()

    with pytest.raises(ConfigError) as caught:
        load(folder / "a.yaml", {}, {"providers": {"x": {"kind": "nothing"}}})

    assert ["providers.x.kind"] == [found.path for found in caught.value.problems]


def test_a_source_can_be_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading takes the file and the environment as they are now, under the flags of the command line."""
    monkeypatch.setenv("WIZARD_SERVER__PORT", "1")
    monkeypatch.setenv("WIZARD_SERVER__WORKERS", "2")
    source = Source(folder / "a.yaml", {"WIZARD_SERVER__PORT": "3"}, {"server": {"drain_s": 4}})
    (folder / "a.yaml").write_text("server: {host: first}\nauth: {allow_open: true}")
    first = source.read().settings.server
    (folder / "a.yaml").write_text("server: {host: second}\nauth: {allow_open: true}")

    second = source.read().settings.server

    assert ("first", 3, 2, 4) == (first.host, first.port, first.workers, first.drain_s)
    assert second.host == "second"


def test_digest_follows_the_effective_settings(folder: Path) -> None:
    """The digest is the same however a value arrives, and differs as soon as any value, secrets included, does."""
    plain = loaded(folder, "server: {port: 8080}\nproviders: {a: {kind: openai, api_key: one}}")
    same = loaded(
        folder, "providers: {a: {kind: openai, api_key: '${K}'}}", {"K": "one", "WIZARD_SERVER__WORKERS": "1"}
    )
    other = loaded(folder, "providers: {a: {kind: openai, api_key: two}}")

    assert plain.digest == same.digest != other.digest
    assert len(plain.digest) == 16
    assert int(plain.digest, 16) >= 0

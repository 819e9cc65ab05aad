"""The first minute: a gateway without any configuration, and the real model of this machine behind it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import psutil
import pytest

from app.providers.local.wheels import missing
from tests.e2e.conftest import openai_client
from tests.e2e.dialects.conftest import anthropic_client
from tests.support.gateway import LIMIT_S, LOCAL, GatewayProcess, Start, eventually, running

USER: Any = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
WORDS_MAX = 8  # few tokens are enough, and a busy machine computes slowly
MODEL = "local/smollm2"
COLD: Any = {"model": MODEL, "temperature": 0}
real_model = pytest.mark.skipif(missing() is not None, reason=f"no local model: {missing()}")


@pytest.fixture(scope="module")
def at_home() -> Iterator[GatewayProcess]:
    """Run a gateway in an empty folder, with no configuration and no key."""
    with running(Start()) as process:
        yield process


@pytest.fixture(scope="module")
def client(at_home: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Talk to it through OpenAI's own client."""
    with openai_client(f"{at_home.url}/v1") as sdk:
        yield sdk.with_options(timeout=2 * LIMIT_S)


@pytest.fixture(scope="module")
def claude(at_home: GatewayProcess) -> Iterator[anthropic.Anthropic]:
    """Talk to it through Anthropic's own client."""
    with anthropic_client(at_home.url) as sdk:
        yield sdk.with_options(timeout=2 * LIMIT_S)


def printed_command(gateway: GatewayProcess) -> str:
    """Return the command that the banner shows, as it would be copied."""
    found = gateway.stdout.wait_for(lambda lines: re.search(r"^ +(curl .*\\\n.*')$", "".join(lines), re.MULTILINE))
    command: str = found[1]
    return command


def test_printed_command_works(at_home: GatewayProcess) -> None:
    """The curl line of the banner, copied into a shell, gets an answer."""
    command = printed_command(at_home)
    if shutil.which("curl") is None:
        url, body = re.findall(r"http://\S+|(?<=-d ')[^']+", command)
        answer = httpx2.post(url, content=body, headers={"content-type": "application/json"}, **LOCAL).content
    else:
        answer = subprocess.run(  # noqa: S602 - a shell is what it is meant for
            command, shell=True, capture_output=True, timeout=2 * LIMIT_S, check=True
        ).stdout

    told = msgspec.json.decode(answer)
    assert told["choices"][0]["message"]["content"]


def test_banner_tells_what_is_there(at_home: GatewayProcess) -> None:
    """The banner names the address, the models and the documentation, and the last of them opens."""
    banner = at_home.stdout.text

    assert "embedded default" in banner
    assert "sim/echo" in banner
    assert (MODEL in banner) == (missing() is None)
    assert f"{at_home.url}/docs" in banner
    assert at_home.get("/docs").status_code == 200


def test_models_of_the_default(client: openai.OpenAI) -> None:
    """What the banner promises can be listed."""
    listed = {model.id for model in client.models.list()}

    assert "sim/echo" in listed
    assert (MODEL in listed) == (missing() is None)


@real_model
def test_real_model_answers(client: openai.OpenAI) -> None:
    """A real model answers with no key and no account."""
    answer = client.chat.completions.create(model=MODEL, messages=USER, max_tokens=WORDS_MAX, temperature=0)

    assert "Paris" in str(answer.choices[0].message.content)
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= WORDS_MAX


@real_model
def test_real_model_streams(client: openai.OpenAI) -> None:
    """It streams, too."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=USER, max_tokens=WORDS_MAX, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip

    assert "Paris" in "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage is not None


@real_model
def test_real_model_says_the_same_in_every_dialect(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """The same question has the same answer, asked as a completion, a response or a message."""
    completion: Any = client.chat.completions.create(**COLD, messages=USER, max_tokens=WORDS_MAX)
    response = client.responses.create(**COLD, input=USER, max_output_tokens=WORDS_MAX)
    message: Any = claude.messages.create(model=MODEL, extra_body=COLD, messages=USER, max_tokens=WORDS_MAX)

    text = completion.choices[0].message.content
    assert "Paris" in text
    assert (response.output_text, message.content[0].text) == (text, text)


@real_model
def test_real_model_streams_the_same_in_every_dialect(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """The pieces of a stream are the same text, too."""
    with client.chat.completions.stream(**COLD, messages=USER, max_tokens=WORDS_MAX) as chunks:
        completion = "".join(event.delta for event in chunks if event.type == "content.delta")
    with client.responses.stream(**COLD, input=USER, max_output_tokens=WORDS_MAX) as events:
        response = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    with claude.messages.stream(model=MODEL, extra_body=COLD, messages=USER, max_tokens=WORDS_MAX) as messages:
        message = "".join(messages.text_stream)

    assert "Paris" in completion
    assert (response, message) == (completion, completion)


@real_model
def test_real_model_comes_back(at_home: GatewayProcess, client: openai.OpenAI) -> None:
    """When the model's process is killed, the gateway lives on and starts another one."""
    (child,) = psutil.Process(at_home.process.pid).children()

    child.kill()
    at_home.wait_for_log("local_model", state="died")
    alive = at_home.get("/readyz").status_code
    answer = client.chat.completions.create(model=MODEL, messages=USER, max_tokens=WORDS_MAX)

    assert alive == 200
    assert answer.choices[0].message.content
    assert child.pid not in [each.pid for each in psutil.Process(at_home.process.pid).children()]


@real_model
def test_real_model_ends_with_the_gateway() -> None:
    """Even a gateway that is killed leaves no model behind."""
    with running(Start()) as gateway:
        gateway.wait_for_log("local_model", state="ready")
        (child,) = psutil.Process(gateway.process.pid).children()

        gateway.process.kill()

        eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the model lives on")


@real_model
def test_real_model_that_a_reload_adds() -> None:
    """A local provider that comes with a newer configuration is as good as one that was there from the beginning."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as gateway:
        gateway.write_config({"providers": {"local": {"kind": "local"}}})
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_for_log("config_reloaded")

        answer = gateway.ask(MODEL)

    assert answer.status_code == 200

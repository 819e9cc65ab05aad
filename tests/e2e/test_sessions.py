"""Conversations that the gateway keeps, over HTTP and in each store."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import msgspec
import openai
import pytest

from tests.e2e.support.asking import ADMIN_TOKEN, NOBODY, admin, bearer, chat, code, send
from tests.e2e.test_keys import hashed
from tests.support.gateway import LIMIT_S, LOCAL, GatewayProcess, Start, clean_environment, running, wizard
from tests.support.redis_server import redis_server

EVE, MALLORY = bearer("wz-canary-of-eve"), bearer("wz-canary-of-mallory")
KEYS = [
    {"name": "eve", "hash": hashed("wz-canary-of-eve")},
    {"name": "mallory", "hash": hashed("wz-canary-of-mallory")},
]
CONFIG: dict[str, Any] = {
    "auth": {"required": True},
    "keys": KEYS,
    "providers": {"sim": {"kind": "sim"}},
    "models": {"short": {"targets": [{"provider": "sim", "model": "echo", "context_window": 60}]}},
    "admin": {"token": ADMIN_TOKEN},
}


@pytest.fixture(scope="module", params=["memory", "file", "sqlite", "redis"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Run a gateway with each store; two workers where they can share it."""
    kept = tmp_path_factory.mktemp("sessions") / "kept"
    sessions = {"store": request.param, "path": str(kept) if request.param in {"file", "sqlite"} else None}
    config = {**CONFIG, "sessions": sessions}
    flags = () if request.param == "memory" else ("--workers", "2")
    if request.param != "redis":
        with running(Start(config, flags)) as process:
            yield process
        return
    with (
        redis_server() as redis,
        running(Start({**config, "redis": redis.patient}, flags)) as process,
    ):
        yield process


@pytest.fixture(scope="module")
def plain() -> Iterator[GatewayProcess]:
    """Run a gateway with small sessions in memory."""
    sessions = {"max_bytes": 1024, "ttl_s": 60, "max_sessions": 3}
    with running(Start({**CONFIG, "sessions": sessions})) as process:
        yield process


def begin(gateway: GatewayProcess, headers: dict[str, str] = EVE, **body: object) -> str:
    """Begin a session and return its id."""
    made = send(gateway, "POST", "/v1/sessions", headers, body or None)
    assert made.status_code == httpx2.codes.OK, made.text[:500]
    return str(made.json()["id"])


def generate(gateway: GatewayProcess, session: str, prompt: str, headers: dict[str, str] = EVE, **more: object) -> Any:  # noqa: ANN401 - JSON
    """Take a turn and return the answer."""
    body = {"model": "sim/echo", "prompt": prompt, "session_id": session, **more}
    return send(gateway, "POST", "/v1/generate", headers, body)


def shown(gateway: GatewayProcess, session: str) -> Any:  # noqa: ANN401 - JSON
    """Return a session as its owner sees it."""
    return send(gateway, "GET", f"/v1/sessions/{session}", EVE).json()


def texts(gateway: GatewayProcess, session: str) -> list[tuple[str, str]]:
    """Return role and text of what is kept."""
    return [(message["role"], message["content"]) for message in shown(gateway, session)["messages"]]


def test_a_conversation(gateway: GatewayProcess) -> None:
    """Turns by the body, by the header and as a stream build on each other, whichever worker takes them."""
    session = begin(gateway, system="Be brief.", metadata={"a": [1]})
    first = generate(gateway, session, "one").json()
    second = chat(gateway, {**EVE, "x-wizard-session": session})
    streamed = generate(gateway, session, "three", stream=True)
    shown = send(gateway, "GET", f"/v1/sessions/{session}", EVE).json()

    assert first["wizard"]["session_id"] == session
    assert second.status_code == 200
    assert streamed.text.rstrip().endswith("[DONE]")
    assert texts(gateway, session) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", first["choices"][0]["message"]["content"]),
        ("user", "hi"),
        ("assistant", second.json()["choices"][0]["message"]["content"]),
        ("user", "three"),
        ("assistant", "three"),
    ]
    assert ("session", 3, 6, {"a": [1]}) == (
        shown["object"],
        shown["turns"],
        shown["message_count"],
        shown["metadata"],
    )


def test_the_past_is_sent(gateway: GatewayProcess) -> None:
    """The provider counts the words of all that was said."""
    session = begin(gateway)

    usages = [generate(gateway, session, "word").json()["usage"]["prompt_tokens"] for _ in range(3)]

    assert usages[0] < usages[1] < usages[2]


def test_a_session_is_its_owners(gateway: GatewayProcess) -> None:
    """For another key it is not there, whatever is tried; without one nothing is said."""
    session = begin(gateway)
    generate(gateway, session, "secret")

    answers = [
        send(gateway, "GET", f"/v1/sessions/{session}", MALLORY),
        send(gateway, "DELETE", f"/v1/sessions/{session}", MALLORY),
        send(gateway, "POST", f"/v1/sessions/{session}/fork", MALLORY),
        generate(gateway, session, "hi", MALLORY),
        chat(gateway, {**MALLORY, "x-wizard-session": session}),
    ]
    nobody = [
        send(gateway, method, path, NOBODY)
        for method, path in (("GET", "/v1/sessions"), ("POST", "/v1/sessions"), ("GET", f"/v1/sessions/{session}"))
    ]
    mine, theirs = (send(gateway, "GET", "/v1/sessions", key).json()["data"] for key in (EVE, MALLORY))

    assert [(404, "session_not_found", "session")] * 5 == [
        (answer.status_code, code(answer), answer.json()["error"]["kind"]) for answer in answers
    ]
    assert [401] * 3 == [answer.status_code for answer in nobody]
    assert session in [each["id"] for each in mine]
    assert session not in [each["id"] for each in theirs]
    assert "secret" not in str(mine)


def test_concurrent_turns_are_all_there(gateway: GatewayProcess) -> None:
    """Each with its answer behind it, whichever worker took it."""
    session = begin(gateway)
    prompts = [f"prompt {n}" for n in range(16)]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda prompt: generate(gateway, session, prompt).status_code, prompts))
    kept = texts(gateway, session)

    assert {200} == set(statuses)
    assert sorted(text for role, text in kept if role == "user") == sorted(prompts)
    assert [("user", text) if n % 2 == 0 else ("assistant", kept[n - 1][1]) for n, (_, text) in enumerate(kept)] == kept


def test_export_import_and_fork(gateway: GatewayProcess) -> None:
    """What is shown can be sent back by anybody, and a branch goes on by itself."""
    session = begin(gateway, system="Be brief.", model="fast")
    generate(gateway, session, "one")
    generate(gateway, session, "two")
    exported = send(gateway, "GET", f"/v1/sessions/{session}", EVE).json()

    imported = send(gateway, "POST", "/v1/sessions", MALLORY, exported).json()
    forks = [
        send(gateway, "POST", f"/v1/sessions/{session}/fork", EVE, body).json()["messages"]
        for body in (None, {"at": 2}, {"last": 2})
    ]

    assert imported["id"] != session
    assert (imported["messages"], imported["model"]) == (exported["messages"], "fast")
    contents = [[message["content"] for message in fork] for fork in forks]
    assert contents == [
        ["Be brief.", "one", "one", "two", "two"],
        ["Be brief.", "one", "one"],
        ["Be brief.", "two", "two"],
    ]
    assert 5 == len(texts(gateway, session))


def test_the_end(gateway: GatewayProcess) -> None:
    """A session that was ended is not there any more."""
    session = begin(gateway)

    ended = send(gateway, "DELETE", f"/v1/sessions/{session}", EVE)

    assert (200, {"id": session, "object": "session.deleted", "deleted": True}) == (ended.status_code, ended.json())
    assert (404, "session_not_found") == ((answer := generate(gateway, session, "hi")).status_code, code(answer))


def test_a_long_past_is_trimmed(gateway: GatewayProcess) -> None:
    """To what the model takes, from its beginning; the answer says by how many messages."""
    session = begin(gateway, system="Be brief.")
    for n in range(4):
        generate(gateway, session, f"{n} " + "word " * 20)

    answer = generate(gateway, session, "last", model="short")

    assert answer.status_code == 200
    assert int(answer.headers["x-wizard-session-trimmed"]) >= 6
    assert 11 == len(texts(gateway, session))


def test_failures_add_nothing(gateway: GatewayProcess) -> None:
    """So that the caller may send the same again."""
    session = begin(gateway)

    failed = generate(gateway, session, "hi", model="sim/fail")
    with pytest.raises(httpx2.RemoteProtocolError):  # the answer breaks off, so that nobody takes it for complete
        generate(gateway, session, "hi", model="sim/words?words=50&tokens_per_s=500&die_after=5", stream=True)

    assert failed.status_code >= 500
    assert texts(gateway, session) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "", {"messages": [{"content": "no role"}]}, 400, "messages[0].role"),
        ("POST", "", {"messages": ["text"]}, 400, "messages[0]"),
        ("POST", "", {"message": []}, 400, "message"),
        ("POST", "", {"ttl_s": 0}, 400, "ttl_s"),
        ("POST", "", {"ttl_s": 1e9}, 400, "ttl_s"),
        ("POST", "", {"metadata": []}, 400, "metadata"),
        ("POST", "", {"metadata": {"note": "x" * 16_384}}, 400, "metadata"),
        ("POST", "", b"{", 400, None),
        ("GET", "?limit=0", None, 400, "limit"),
        ("GET", "?limit=many", None, 400, "limit"),
        ("GET", "/sess_nothing", None, 404, "session_id"),
        ("GET", "/..%2F..%2Fetc", None, 404, None),
        ("POST", "/sess_nothing/fork", {"at": -1}, 400, "at"),
        ("PUT", "/sess_nothing", None, 405, None),
    ],
)
def test_what_is_refused(
    plain: GatewayProcess, method: str, path: str, body: object, status: int, param: str | None
) -> None:
    """Each says which field is wrong."""
    answer = send(plain, method, f"/v1/sessions{path}", EVE, body)

    assert (status, param) == (answer.status_code, answer.json()["error"]["param"])


CONVERSATIONS: dict[str, list[dict[str, object]]] = {
    "a role that nobody knows": [{"role": "user", "content": "hi"}, {"role": "wizard", "content": "hello"}],
    "a message that says nothing": [{"role": "user"}],
    "a tool that nobody called": [{"role": "tool", "tool_call_id": "call_1", "content": "4"}],
    "a control character": [{"role": "user", "content": "a\u0000b"}],
    "a content that is none": [{"role": "user", "content": 5}],
}


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_what_no_call_may_say_no_session_begins_with(plain: GatewayProcess, messages: list[dict[str, object]]) -> None:
    """The same words for the same field, whether a call brings the conversation or a session begins with it."""
    of_call = chat(plain, EVE, messages=messages)

    of_session = send(plain, "POST", "/v1/sessions", EVE, {"system": "Be brief.", "messages": messages})

    assert (of_call.status_code, of_session.status_code) == (400, 400)
    said = [answer.json()["error"] for answer in (of_call, of_session)]
    assert said[0]["param"].startswith("messages[")
    assert said[0]["message"] == said[1]["message"]
    assert said[0]["param"] == said[1]["param"]


def test_a_turn_may_answer_a_tool_call_of_the_past(plain: GatewayProcess) -> None:
    """The call stands in the session, so the turn that brings its result does not repeat it."""
    tool = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    past = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": None, "tool_calls": [tool]}]
    session = begin(plain, messages=past)

    answer = chat(
        plain,
        {**EVE, "x-wizard-session": session},
        messages=[{"role": "tool", "tool_call_id": "call_1", "content": "4"}],
    )

    assert code(answer) == "ok"
    assert [message["role"] for message in shown(plain, session)["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]


def test_null_is_as_if_it_were_not_there(plain: GatewayProcess) -> None:
    """Clients that send every field they know send null for those that nobody filled."""
    nulls = dict.fromkeys(("model", "system", "messages", "metadata", "ttl_s"))

    shown = send(plain, "POST", "/v1/sessions", EVE, nulls).json()

    assert (shown["model"], shown["messages"], shown["metadata"]) == (None, [], {})


def test_bodies_are_json(plain: GatewayProcess) -> None:
    """As everywhere, so that no page in a browser can write here."""
    answer = httpx2.post(
        f"{plain.url}/v1/sessions",
        content=b"{}",
        headers={**EVE, "content-type": "text/plain"},
        **LOCAL,
    )

    assert answer.status_code == 415


def test_a_session_that_is_full(plain: GatewayProcess) -> None:
    """The turn that would not fit is refused, and so is one session too many; each says what to do."""
    session = begin(plain)
    large = generate(plain, session, "x" * 1100)
    imported = send(plain, "POST", "/v1/sessions", EVE, {"messages": [{"role": "user", "content": "x" * 1100}]})
    others = [send(plain, "POST", "/v1/sessions", EVE) for _ in range(4)]

    assert [(400, "session_full")] * 2 == [(answer.status_code, code(answer)) for answer in (large, imported)]
    assert "fork" in large.json()["error"]["suggestion"].lower()
    assert "session_full" == code(others[-1])


def test_a_session_that_expired(plain: GatewayProcess) -> None:
    """Its owner learns that it was there, and the SDK raises what a user expects."""
    session = begin(plain, MALLORY, ttl_s=0.3)
    http = openai.DefaultHttpxClient(**LOCAL)
    with openai.OpenAI(
        base_url=f"{plain.url}/v1", api_key="wz-canary-of-mallory", http_client=http, max_retries=0
    ) as client:
        threading.Event().wait(0.4)
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(
                model="sim/echo",
                messages=[{"role": "user", "content": "hi"}],
                extra_headers={"x-wizard-session": session},
            )

    assert caught.value.code == "session_expired"


def test_other_words_only_say_what_belongs_together(plain: GatewayProcess) -> None:
    """In the header anything goes that is no id of ours."""
    answers = [chat(plain, {**EVE, "x-wizard-session": word}) for word in ("my-chat", "sess_of_mine")]

    assert ["ok", "session_not_found"] == [code(answer) for answer in answers]


def test_an_open_gateway_tells_strangers_apart() -> None:
    """By the key that they send, whatever it is."""
    with running(Start({"providers": CONFIG["providers"]})) as gateway:
        session = begin(gateway, bearer("sk-one"))

        answers = [
            send(gateway, "GET", f"/v1/sessions/{session}", key) for key in (bearer("sk-one"), bearer("sk-two"), NOBODY)
        ]

        assert [200, 404, 404] == [answer.status_code for answer in answers]


def test_several_workers_share_no_memory() -> None:
    """A session would be known to one of them, so none is begun."""
    with running(Start(CONFIG, ("--workers", "2"))) as gateway:
        answer = send(gateway, "POST", "/v1/sessions", EVE)

        assert (409, "conflict") == (answer.status_code, code(answer))
        assert "sessions.store" in answer.json()["error"]["suggestion"]


def test_without_redis_there_are_no_sessions() -> None:
    """Other calls go on; those of a session can be sent again."""
    with redis_server() as redis:
        config = {**CONFIG, "redis": redis.patient, "sessions": {"store": "redis"}}
        with running(Start(config)) as gateway:
            session = begin(gateway)
            redis.kill()
            gateway.wait_for_log("state_degraded")
            refused = [generate(gateway, session, "hi"), send(gateway, "POST", "/v1/sessions", EVE)]
            others = chat(gateway, EVE)

            assert [(503, "state_unavailable", "true")] * 2 == [
                (answer.status_code, code(answer), answer.headers["x-should-retry"]) for answer in refused
            ]
            assert others.status_code == 200


def test_sessions_outlive_the_gateway(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those in files and in SQLite; nobody else may read either."""
    for store in ("file", "sqlite"):
        kept = tmp_path_factory.mktemp("sessions") / "kept"
        config = {**CONFIG, "sessions": {"store": store, "path": str(kept)}}
        with running(Start(config)) as gateway:
            session = begin(gateway)
            generate(gateway, session, "remember me")
        with running(Start(config)) as gateway:
            assert ("user", "remember me") in texts(gateway, session)
        modes = {path.stat().st_mode & 0o077 for path in [kept, *kept.rglob("*")] if path.is_file()}
        assert modes == {0}


# --- operators -------------------------------------------------------------------------------------------------------


def test_an_operator_sees_and_ends_sessions(plain: GatewayProcess) -> None:
    """Whose they are and how large, and what was said only when one is named."""
    session = begin(plain, MALLORY)
    generate(plain, session, "canary of a word", MALLORY)
    listed = admin(plain, "GET", "/sessions").json()["sessions"]
    of_mallory = admin(plain, "GET", "/sessions?owner=mallory").json()["sessions"]
    shown = admin(plain, "GET", f"/sessions/{session}").json()
    ended = admin(plain, "DELETE", f"/sessions/{session}")

    (mine,) = [each for each in listed if each["id"] == session]
    assert (mine["owner"], mine["turns"]) == ("mallory", 1)
    assert {"mallory"} == {each["owner"] for each in of_mallory}
    assert "canary of a word" not in str(listed)
    assert ("mallory", "canary of a word") == (shown["owner"], shown["messages"][0]["content"])
    assert ended.status_code == 200
    assert (404, "session_not_found") == (
        (again := admin(plain, "GET", f"/sessions/{session}")).status_code,
        code(again),
    )
    assert 401 == send(plain, "GET", "/admin/sessions", EVE).status_code
    assert "canary of a word" not in plain.stdout.text


def test_the_command(plain: GatewayProcess) -> None:
    """`wizard sessions` lists, shows, exports and deletes."""

    def sessions(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = wizard("sessions", *arguments, "--url", plain.url, "--token", ADMIN_TOKEN)
        return subprocess.run(
            command, env=clean_environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    session = begin(plain, MALLORY)
    generate(plain, session, "a word", MALLORY)

    listed, shown = sessions("list", "--owner", "mallory"), sessions("show", session)
    exported = msgspec.json.decode(sessions("export", session).stdout)
    deleted, gone = sessions("delete", session), sessions("show", session)

    assert session in listed.stdout
    assert "owner          mallory" in shown.stdout
    assert "a word" not in listed.stdout + shown.stdout
    assert exported["messages"][0] == {"role": "user", "content": "a word"}
    assert "is deleted" in deleted.stdout
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "There is no session" in gone.stderr


def test_other_dialects_take_part(plain: GatewayProcess) -> None:
    """A turn of Anthropic's form and one of OpenAI's go on with each other."""
    session = begin(plain, MALLORY, ttl_s=60)
    headers = {**MALLORY, "x-wizard-session": session}
    body = {"model": "sim/echo", "max_tokens": 50, "messages": [{"role": "user", "content": "one"}]}

    first = send(plain, "POST", "/v1/messages", headers, body)
    second = send(plain, "POST", "/v1/messages", headers, {**body, "stream": True})
    third = chat(plain, headers)
    kept = send(plain, "GET", f"/v1/sessions/{session}", MALLORY).json()["messages"]
    send(plain, "DELETE", f"/v1/sessions/{session}", MALLORY)

    assert [200] * 3 == [answer.status_code for answer in (first, second, third)]
    assert ["user", "assistant"] * 3 == [message["role"] for message in kept]
    assert ["one", "one", "hi"] == [message["content"] for message in kept if message["role"] == "assistant"]

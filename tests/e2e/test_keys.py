"""Virtual keys over HTTP: who comes in, with which models, and how operators make and take keys."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.support.asking import ADMIN_TOKEN, NOBODY, admin, bearer, chat, code, send
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, launched, running
from tests.support.redis_server import RedisServer, redis_server

ALL, SOME, OVER = "wz-canary-of-all", "wz-canary-of-some", "wz-canary-that-is-over"
HUMBLE = "wz-canary-of-the-humble"


def hashed(key: str) -> str:
    """Return what is stored of a key."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


CONFIG: dict[str, Any] = {
    "auth": {"required": True},
    "keys": [
        {"name": "all", "hash": hashed(ALL)},
        {"name": "some", "hash": hashed(SOME), "models": ["fast", "sim/echo?id=*"]},
        {"name": "humble", "hash": hashed(HUMBLE), "roles": ["user", "assistant"]},
        {"name": "over", "hash": hashed(OVER), "expires": "2020-01-01"},
    ],
    "providers": {"sim": {"kind": "sim", "models": ["echo", "echo?id=1"]}},
    "models": {
        "fast": {"targets": [{"provider": "sim", "model": "echo"}]},
        "big": {"targets": [{"provider": "sim", "model": "echo"}]},
    },
    "admin": {"token": "${WIZARD_ADMIN_TOKEN}"},
}
VARIABLES = {"WIZARD_ADMIN_TOKEN": ADMIN_TOKEN}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway that requires keys, without Redis."""
    with running(Start(CONFIG, variables=VARIABLES)) as process:
        yield process


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def pair(redis: RedisServer) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Run two gateways on one Redis."""
    config = {**CONFIG, "redis": redis.patient}
    with running(Start(config, variables=VARIABLES)) as one, running(Start(config, variables=VARIABLES)) as other:
        yield one, other


@pytest.mark.parametrize(
    "headers",
    [bearer(ALL), {"authorization": f"bEARER  {ALL}"}, {"x-api-key": ALL}, {"authorization": ALL}],
    ids=["bearer", "bearer in other letters", "x-api-key", "bare"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_whoever_has_a_key_comes_in(gateway: GatewayProcess, headers: dict[str, str], stream: bool) -> None:
    """In each of the ways in which clients send keys."""
    assert chat(gateway, headers, stream=stream).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [NOBODY, bearer("wz-no"), bearer(OVER), bearer(hashed(ALL)), bearer(ADMIN_TOKEN), {"authorization": "Basic eA=="}],
    ids=["none", "unknown", "expired", "a hash", "the operator's", "another scheme"],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/generate"])
def test_nobody_else_does(gateway: GatewayProcess, headers: dict[str, str], path: str) -> None:
    """Each refusal is the same 401, whatever body comes with it: strangers' bodies are not even read."""
    bodies = (b'{"model":"sim/echo","messages":[{"role":"user","content":"hi"}]}', b"{", b"")

    answers = [send(gateway, "POST", path, headers, body) for body in bodies]

    assert [(401, "unauthorized")] * 3 == [(answer.status_code, code(answer)) for answer in answers]
    assert [("Bearer", "false")] * 3 == [
        (answer.headers["www-authenticate"], answer.headers["x-should-retry"]) for answer in answers
    ]
    error = answers[0].json()["error"]
    assert ("authentication_error", "authentication", False) == (error["type"], error["kind"], error["retryable"])
    assert "authorization: Bearer" in error["suggestion"]
    assert "canary" not in answers[0].text


def test_a_key_that_was_cut_is_none(gateway: GatewayProcess) -> None:
    """Nor is one with something behind it, or with bytes that no key has."""
    raw = [ALL[:-1].encode(), f"{ALL}x".encode(), b"\xff\xfe", b"k" * 8000]

    answers = [
        httpx2.post(f"{gateway.url}/v1/generate", headers={b"authorization": b"Bearer " + key}, json={}, **LOCAL)
        for key in raw
    ]

    assert [401] * 4 == [answer.status_code for answer in answers]


def test_models_of_a_key(gateway: GatewayProcess) -> None:
    """Routes and models on its list are served in each way to write them; others are a 403 that asks no provider."""
    models = ["fast", "sim/echo?id=1", "sim:echo?id=2", "big", "sim/echo", "nobody/else"]
    before = gateway.metric("wizard_auth_refused_total", reason="forbidden")

    answers = [chat(gateway, bearer(SOME), model) for model in models]

    assert ["ok"] * 3 + ["forbidden"] * 3 == [code(answer) for answer in answers]
    error = answers[3].json()["error"]
    assert (403, "permission_error", "permission", "model") == (
        answers[3].status_code,
        error["type"],
        error["kind"],
        error["param"],
    )
    assert "x-wizard-provider" not in answers[3].headers
    assert before + 3 == gateway.metric("wizard_auth_refused_total", reason="forbidden")
    gateway.wait_for_log("auth_refused", reason="forbidden", key="some", request_id=answers[3].headers["x-request-id"])


HI, RULE = {"role": "user", "content": "hi"}, {"role": "system", "content": "x"}
ROLE_CASES = [
    ("/v1/chat/completions", {"messages": [{"role": "developer", "content": "x"}, HI]}, 0),
    ("/v1/chat/completions", {"messages": [HI, RULE]}, 1),
    ("/v1/generate", {"prompt": "hi", "system": "x"}, 0),
    ("/v1/messages", {"max_tokens": 9, "system": "x", "messages": [HI]}, 0),
    ("/v1/responses", {"input": "hi", "instructions": "x"}, 0),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body", "place"), ROLE_CASES)
def test_roles_of_a_key(gateway: GatewayProcess, path: str, body: dict[str, object], place: int, stream: bool) -> None:
    """A key without the roles of instructions can instruct no model, in no dialect; what it may say is served."""
    asked = {"model": "fast", "stream": stream, **body}
    allowed = {"model": "fast", "stream": stream, "messages": [HI], "max_tokens": 9}

    refused, served = (
        httpx2.post(gateway.url + where, json=sent, headers=bearer(HUMBLE), **LOCAL)
        for where, sent in ((path, asked), ("/v1/chat/completions", allowed))
    )

    assert (refused.status_code, served.status_code) == (403, 200)
    assert "only: user, assistant." in refused.text
    error = refused.json()["error"]
    assert error["param"] == f"messages[{place}].role"


def test_the_list_of_models_is_that_of_the_key(gateway: GatewayProcess) -> None:
    """It asks for a key as well, and shows what can be asked for with it."""
    shown = {
        key: [model["id"] for model in send(gateway, "GET", "/v1/models", bearer(key)).json()["data"]]
        for key in (ALL, SOME)
    }
    singles = {
        model: send(gateway, "GET", f"/v1/models/{model}", bearer(SOME)).status_code
        for model in ("fast", "sim/echo%3Fid=1", "sim:echo%3Fid=1", "big", "sim/echo", "nobody/else")
    }
    nobody = [send(gateway, "GET", path) for path in ("/v1/models", "/v1/models/fast")]

    assert shown == {ALL: ["fast", "big", "sim/echo", "sim/echo?id=1"], SOME: ["fast", "sim/echo?id=1"]}
    assert [200, 200, 200, 403, 403, 403] == list(singles.values())
    assert [(401, "unauthorized", "Bearer")] * 2 == [
        (answer.status_code, code(answer), answer.headers["www-authenticate"]) for answer in nobody
    ]
    assert send(gateway, "GET", "/v1/models/nothing", bearer(ALL)).status_code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics", "/openapi.json"])
def test_operations_need_no_key(gateway: GatewayProcess, path: str) -> None:
    """Who watches a gateway is none of its callers."""
    assert send(gateway, "GET", path).status_code == 200


def test_the_sdk_raises_what_a_user_expects(gateway: GatewayProcess) -> None:
    """AuthenticationError and PermissionDeniedError, at the first try."""
    raised: list[tuple[type[Exception], str | None]] = []
    for key, model in (("wz-no", "fast"), (SOME, "big")):
        http = openai.DefaultHttpxClient(**LOCAL)
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, http_client=http) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
            raised.append((type(caught.value), caught.value.code))

    assert raised == [(openai.AuthenticationError, "unauthorized"), (openai.PermissionDeniedError, "forbidden")]


# --- keys made while the gateway runs --------------------------------------------------------------------------------


def test_an_operator_makes_a_key(gateway: GatewayProcess) -> None:
    """It works at once, is listed without its secret, and ends at once when it is revoked."""
    order: dict[str, Any] = {"name": "ci", "team": "red", "tags": ["a"], "models": ["fast"], "roles": ["user"]}
    order |= {"expires_in_s": 3600, "priority": "low"}
    made = admin(gateway, "POST", "/keys", order).json()
    works = [code(chat(gateway, bearer(made["key"]), model)) for model in ("fast", "big")]
    listed = {key["id"]: key for key in admin(gateway, "GET", "/keys").json()["keys"]}

    revoked = admin(gateway, "DELETE", f"/keys/{made['id']}").json()

    assert ("wz-", hashed(made["key"])) == (made["key"][:3], made["hash"])
    assert works == ["ok", "forbidden"]
    assert {name: made[name] for name in order if name != "expires_in_s"} == {
        name: value for name, value in order.items() if name != "expires_in_s"
    }
    assert made["expires_at"] == made["created_at"] + 3600
    assert listed[made["id"]] == {name: value for name, value in made.items() if name not in {"key", "hash"}}
    assert ("active", "memory") == (made["status"], made["source"])
    assert ["all", "some", "humble", "over"] == list(listed)[:4]
    assert ("file", "expired") == (listed["over"]["source"], listed["over"]["status"])
    assert revoked["status"] == "revoked"
    assert (401, "unauthorized") == ((answer := chat(gateway, bearer(made["key"]))).status_code, code(answer))
    gateway.wait_for_log("key_revoked", key=made["id"])
    gateway.wait_for_log("auth_refused", reason="revoked", key=made["id"])


def test_an_operator_rotates_a_key(gateway: GatewayProcess) -> None:
    """Both secrets are good during the overlap; without one the old secret ends at once."""
    first = admin(gateway, "POST", "/keys").json()
    second = admin(gateway, "POST", f"/keys/{first['id']}/rotate", {"overlap_s": 3600}).json()
    during = [code(chat(gateway, bearer(each["key"]))) for each in (first, second)]
    third = admin(gateway, "POST", f"/keys/{first['id']}/rotate", {"overlap_s": 0}).json()

    after = [code(chat(gateway, bearer(each["key"]))) for each in (first, second, third)]

    assert first["id"] == second["id"] == third["id"]
    assert during == ["ok", "ok"]
    assert after == ["unauthorized", "unauthorized", "ok"]


def test_a_key_from_elsewhere(gateway: GatewayProcess) -> None:
    """A hash that another gateway kept is enough, so that nobody has to send out new keys."""
    made = admin(gateway, "POST", "/keys", {"name": "old", "hash": hashed("sk-canary-of-old")}).json()

    assert made["key"] is None
    assert code(chat(gateway, bearer("sk-canary-of-old"))) == "ok"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/keys", {"name": "a b"}, 400, "name"),
        ("POST", "/keys", {"colour": "x"}, 400, "colour"),
        ("POST", "/keys", {"expires_at": "soon"}, 400, "expires_at"),
        ("POST", "/keys", {"expires_at": 1, "expires_in_s": 1}, 400, "expires_at"),
        ("POST", "/keys", {"hash": "wz-a-key"}, 400, "hash"),
        ("POST", "/keys", {"hash": hashed(ALL)}, 409, None),
        ("POST", "/keys", {"hash": f"hmac-sha256:{'0' * 64}"}, 409, "hash"),
        ("POST", "/keys", [], 400, None),
        ("POST", "/keys", {"name": "x" * 70_000}, 413, None),
        ("POST", "/keys/all/rotate", {}, 409, None),
        ("POST", "/keys/nobody/rotate", {}, 404, None),
        ("POST", "/keys/nobody/rotate", {"overlap_s": -1}, 400, "overlap_s"),
        ("DELETE", "/keys/nobody", None, 404, None),
    ],
)
def test_what_an_operator_cannot_do(
    gateway: GatewayProcess, method: str, path: str, body: object, status: int, param: str | None
) -> None:
    """Each refusal says what is wrong, and never repeats what may be a key."""
    answer = admin(gateway, method, path, body)

    assert (status, param) == (answer.status_code, answer.json()["error"]["param"])
    assert "wz-a-key" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/all"), ("POST", "/keys/all/rotate")]
)
@pytest.mark.parametrize("headers", [NOBODY, bearer(ALL)], ids=["nobody", "a caller"])
def test_keys_are_the_operators(gateway: GatewayProcess, method: str, path: str, headers: dict[str, str]) -> None:
    """A caller's key is none for the administration."""
    assert send(gateway, method, f"/admin{path}", headers).status_code == 401
    assert code(chat(gateway, bearer(ALL))) == "ok"


def test_dates_are_understood(gateway: GatewayProcess) -> None:
    """As text with a zone, as text without, and as seconds."""
    given = ["2099-01-31T12:00:00+01:00", "2099-01-31T11:00:00", 4_073_540_400]

    made = [admin(gateway, "POST", "/keys", {"expires_at": moment}).json()["expires_at"] for moment in given]

    assert made == [4_073_540_400] * 3


def test_a_key_of_the_file_is_revoked_until_the_file_changes() -> None:
    """Its secret is worth nothing any more, also after a reload; with a fresh one in the file it is good again."""
    config = {**CONFIG, "keys": [{"name": "leaked", "hash": hashed("wz-canary-leaked")}]}
    with running(Start(config, variables=VARIABLES)) as another:
        before = code(chat(another, bearer("wz-canary-leaked")))
        revoked = admin(another, "DELETE", "/keys/leaked").json()
        another.write_config({**config, "logging": {"level": "debug"}})
        another.send_signal(signal.SIGHUP)
        another.wait_for_log("config_reloaded")
        still = code(chat(another, bearer("wz-canary-leaked")))
        another.write_config({**config, "keys": [{"name": "leaked", "hash": hashed("wz-canary-fresh")}]})
        another.send_signal(signal.SIGHUP)
        eventually(lambda: code(chat(another, bearer("wz-canary-fresh"))) == "ok", "the reload never came")

        assert ("ok", "revoked", "file", "unauthorized") == (before, revoked["status"], revoked["source"], still)
        assert code(chat(another, bearer("wz-canary-leaked"))) == "unauthorized"


def test_no_key_is_ever_printed(gateway: GatewayProcess) -> None:
    """Neither those that worked nor those that did not, nor the operator's token, nor a hash."""
    made = admin(gateway, "POST", "/keys", {"name": "canary"}).json()
    chat(gateway, bearer(made["key"]))
    chat(gateway, bearer("wz-canary-unknown"))
    shown = gateway.stdout.text + gateway.stderr.text + gateway.get("/metrics").text
    shown += admin(gateway, "GET", "/keys").text + gateway.get("/openapi.json").text

    secrets = [made["key"], "canary-", hashed(made["key"])[7:], hashed(ALL)[7:]]

    assert not [secret for secret in secrets if secret in shown]


# --- without a need for keys, and in other ways ----------------------------------------------------------------------


def test_a_gateway_waits_for_its_first_key() -> None:
    """Where a key is required and there is none yet, nobody comes in until the file has one."""
    config = {name: CONFIG[name] for name in ("auth", "providers", "models")}
    with running(Start(config)) as gateway:
        before = [chat(gateway, headers).status_code for headers in (NOBODY, bearer(ALL))]

        gateway.write_config({**config, "keys": CONFIG["keys"]})

        eventually(lambda: chat(gateway, bearer(ALL)).status_code == httpx2.codes.OK, "the key never worked")
        assert before == [401, 401]
        assert chat(gateway, NOBODY).status_code == httpx2.codes.UNAUTHORIZED


def test_an_open_gateway_knows_its_keys() -> None:
    """Whoever sends none, or one that nobody knows, comes in; a key that is known counts, and one that is over too."""
    with running(Start({**CONFIG, "auth": {"required": False}}, variables=VARIABLES)) as gateway:
        answers = [
            code(chat(gateway, headers, "big"))
            for headers in (NOBODY, bearer("sk-dummy"), bearer(ALL), bearer(SOME), bearer(OVER))
        ]

        assert answers == ["ok", "ok", "ok", "forbidden", "unauthorized"]


def test_a_pepper() -> None:
    """Keys that are made with it work, and their hash is another."""
    config = {**CONFIG, "auth": {"required": True, "pepper": "${PEPPER}"}}
    with running(Start(config, variables={**VARIABLES, "PEPPER": "canary-of-a-pepper"})) as gateway:
        made = admin(gateway, "POST", "/keys").json()
        answers = [code(chat(gateway, bearer(key))) for key in (made["key"], ALL)]

        assert made["hash"].startswith("hmac-sha256:")
        assert answers == ["ok", "ok"]
        assert "canary-of-a-pepper" not in gateway.stdout.text


def test_several_workers_share_no_memory() -> None:
    """A key that is made would be known to one of them, so it is not made without Redis."""
    flags = ("--workers", "2")
    with running(Start(CONFIG, flags, VARIABLES)) as gateway:
        answers = [admin(gateway, "POST", "/keys"), admin(gateway, "DELETE", "/keys/all")]

        assert [(409, "conflict")] * 2 == [(answer.status_code, code(answer)) for answer in answers]
        assert "redis.url" in answers[0].json()["error"]["suggestion"]


def test_an_open_gateway_does_not_start_in_public() -> None:
    """It says why, and what to do."""
    providers = {"providers": CONFIG["providers"]}
    with launched(Start(providers, ("--host", "0.0.0.0"))) as gateway:  # noqa: S104 - it does not start
        ended = gateway.wait()

        assert ended == 2
        assert "auth.allow_open" in gateway.stderr.text


def test_an_open_gateway_starts_in_public_if_it_is_told_so() -> None:
    """As the one in the compose file, whose port only this machine reaches."""
    providers = {"providers": CONFIG["providers"]}
    allowed = {"WIZARD_AUTH__ALLOW_OPEN": "true"}
    with running(Start(providers, ("--host", "0.0.0.0"), allowed)) as gateway:  # noqa: S104 - on purpose
        assert code(chat(gateway)) == "ok"


# --- with Redis ------------------------------------------------------------------------------------------------------


def test_replicas_share_keys(pair: tuple[GatewayProcess, GatewayProcess]) -> None:
    """What one makes, rotates or revokes the other knows with the next beat, as tests/state/keys has it."""
    one, other = pair
    made = admin(one, "POST", "/keys", {"models": ["fast"]}).json()
    eventually(lambda: code(chat(other, bearer(made["key"]), "fast")) == "ok", "the key was never known")
    forbidden = code(chat(other, bearer(made["key"]), "big"))
    fresh = admin(other, "POST", f"/keys/{made['id']}/rotate", {"overlap_s": 0}).json()
    eventually(lambda: code(chat(one, bearer(fresh["key"]), "fast")) == "ok", "the fresh secret was never known")
    old = code(chat(one, bearer(made["key"]), "fast"))
    admin(one, "DELETE", f"/keys/{made['id']}")
    eventually(lambda: code(chat(other, bearer(fresh["key"]), "fast")) == "unauthorized", "it was never revoked")

    assert made["source"] == "redis"
    assert (forbidden, old) == ("forbidden", "unauthorized")
    assert {"revoked"} == {
        key["status"]
        for gateway in pair
        for key in admin(gateway, "GET", "/keys").json()["keys"]
        if key["id"] == made["id"]
    }


def test_a_key_of_the_file_is_revoked_everywhere(pair: tuple[GatewayProcess, GatewayProcess]) -> None:
    """Redis remembers it for all replicas."""
    one, other = pair

    admin(one, "DELETE", "/keys/some")
    eventually(lambda: code(chat(other, bearer(SOME), "fast")) == "unauthorized", "it was never revoked")

    assert code(chat(other, bearer(ALL))) == "ok"


def test_without_redis_keys_go_on() -> None:
    """Those of the file, and those that were known; nothing can be made or revoked until it is back."""
    with (
        redis_server() as redis,
        running(Start({**CONFIG, "redis": redis.patient}, variables=VARIABLES)) as gateway,
    ):
        made = admin(gateway, "POST", "/keys").json()
        redis.kill()
        answers = [code(chat(gateway, bearer(key))) for key in (ALL, made["key"], "wz-no") for _ in range(2)]
        gateway.wait_for_log("state_degraded")
        refused = [admin(gateway, "POST", "/keys"), admin(gateway, "DELETE", f"/keys/{made['id']}")]
        redis.start()
        gateway.wait_for_log("state_restored")

        assert ["ok"] * 4 + ["unauthorized"] * 2 == answers
        assert [(503, "state_unavailable")] * 2 == [(answer.status_code, code(answer)) for answer in refused]
        assert admin(gateway, "POST", "/keys").status_code == 200


def test_without_redis_keys_may_be_refused() -> None:
    """Those that are only there; clients are told to come back."""
    config = {**CONFIG, "redis": {"url": "", "fail": {"keys": "closed"}}}
    with redis_server() as redis:
        config["redis"]["url"] = redis.url
        with running(Start(config, variables=VARIABLES)) as gateway:
            made = admin(gateway, "POST", "/keys").json()
            redis.kill()
            gateway.wait_for_log("state_degraded")
            answers = [chat(gateway, bearer(key)) for key in (ALL, made["key"])]

            assert ["ok", "state_unavailable"] == [code(answer) for answer in answers]
            assert "true" == answers[1].headers["x-should-retry"]


# --- what a key may do and spend -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["file", "made"])
def test_limits_and_budget_of_a_key(where: str) -> None:
    """They hold for that key alone, wherever it comes from; its owner is told which."""
    own = {"limits": [{"name": "few", "requests": 2, "window_s": 3600}], "budget": {"usd": 1, "per": "day"}}
    config = {**CONFIG, "keys": [*CONFIG["keys"], *([{"name": "own", "hash": hashed("wz-canary-own"), **own}])]}
    with running(Start(config, variables=VARIABLES)) as gateway:
        key = "wz-canary-own" if where == "file" else admin(gateway, "POST", "/keys", own).json()["key"]
        answers = [chat(gateway, bearer(key)) for _ in range(3)]
        listed = {each["name"]: each for each in admin(gateway, "GET", "/keys").json()["keys"]}

        assert ["ok", "ok", "rate_limited"] == [code(answer) for answer in answers]
        assert "few" in answers[2].text
        assert "ok" == code(chat(gateway, bearer(ALL)))
        shown = listed["own"]
        assert (shown["limits"][0]["requests"], shown["limits"][0]["window_s"]) == (2, 3600)
        assert (shown["budget"]["usd"], shown["budget"]["per"]) == (1, "day")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"limits": [{"name": "nothing"}]}, "limits"),
        ({"limits": [{"requests": 1, "tokens": 1, "burst": 1}]}, "limits"),
        ({"roles": ["boss"]}, "roles[0]"),
        ({"limits": [{"requests": 0}]}, "limits[0].requests"),
        ({"budget": {"usd": 0}}, "budget.usd"),
        ({"budget": {"usd": 1, "per": "year"}}, "budget.per"),
    ],
)
def test_what_no_key_may_do(gateway: GatewayProcess, body: object, param: str) -> None:
    """Limits of nothing, and amounts that cannot be meant."""
    answer = admin(gateway, "POST", "/keys", body)

    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])


# --- in other dialects -----------------------------------------------------------------------------------------------


def test_anthropics_sdk_raises_what_a_user_expects(gateway: GatewayProcess) -> None:
    """Whichever of its two headers carries the key, the refusals have Anthropic's form."""
    raised: list[tuple[type[Exception], object]] = []
    ways: list[dict[str, str]] = [{"api_key": "wz-no"}, {"auth_token": "wz-no"}, {"api_key": SOME}]
    for way in ways:
        http = anthropic.DefaultHttpxClient(**LOCAL)
        with (
            anthropic.Anthropic(base_url=gateway.url, http_client=http, **way) as client,  # type: ignore[arg-type] # texts
            pytest.raises(anthropic.APIStatusError) as caught,
        ):
            client.messages.create(model="big", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
        body: Any = caught.value.body
        raised.append((type(caught.value), body["error"]["type"]))

    assert raised == [
        (anthropic.AuthenticationError, "authentication_error"),
        (anthropic.AuthenticationError, "authentication_error"),
        (anthropic.PermissionDeniedError, "permission_error"),
    ]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/embeddings", "/v1/images/generations"])
def test_every_endpoint_asks_for_a_key(gateway: GatewayProcess, path: str) -> None:
    """Before it reads anything, and says how to send one."""
    answer = send(gateway, "POST", path, NOBODY, b"{")

    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])

"""What an operator can look up: the last calls, the figures of the moment, events as they happen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import refused, whole
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import redis_server

CHAT, GENERATE = "/v1/chat/completions", "/v1/generate"
CANARY = "canary-prompt-51c2"
USER = [{"role": "user", "content": CANARY}]
TOKEN = {"authorization": "Bearer admin-token"}


def configured(upstream: Upstream, **sections: object) -> dict[str, Any]:
    """Return the configuration of a gateway that keeps a request log."""
    return {
        **configuration(upstream),
        "admin": {"token": "admin-token"},
        "request_log": {"enabled": True, "max_entries": 100},
        **sections,
    }


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with two workers that keeps its request log in memory."""
    with running(Start(configured(upstream), flags=["--workers", "2"])) as process:
        eventually(lambda: process.metric("wizard_workers") == 2, "not all workers came up")
        yield process


@contextmanager
def client(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to a gateway, every time over a connection of its own."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=gateway.url, **LOCAL, limits=limits) as http:
        yield http


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to that gateway."""
    with client(gateway) as talking:
        yield talking


def ask(http: httpx2.Client, model: str, request_id: str, **headers: str) -> httpx2.Response:
    """Make a call under an id."""
    named = {"x-request-id": request_id, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return http.post(CHAT, json={"model": model, "messages": USER}, headers=named)


def listed(http: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    """Return what the request log lists."""
    answer = http.get("/admin/requests", params=query, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


def test_a_call_can_be_looked_up_with_its_story(http: httpx2.Client, upstream: Upstream) -> None:
    """What was tried, what came of it and how long it took, whichever worker served the call and whichever is asked."""
    upstream.on("first", refused(503))
    upstream.on("second", whole())
    ask(http, "pair", "log-1")

    for _ in range(8):
        (entry,) = http.get("/admin/requests/log-1", headers=TOKEN).json()["requests"]
        assert {"model": "pair", "provider": "box", "target_model": "second", "position": 1, "attempts": 2}.items() <= (
            entry.items()
        )
        assert [step["what"] for step in entry["steps"] if step["what"] != "spent"] == [
            "attempt_ended",
            "fell_back",
            "attempt_ended",
        ]
        assert entry["steps"][0]["code"] == "target_busy"


def test_calls_are_listed_by_what_they_have_in_common(http: httpx2.Client, upstream: Upstream) -> None:
    """Filters narrow the list, the newest come first, and pages follow each other."""
    upstream.on("broken", refused(500))
    for number in range(6):
        ask(http, "sim/echo?id=listed", f"log-ok-{number}")
    ask(http, "box/broken", "log-broken")

    ok = listed(http, model="sim/echo?id=listed")
    page = listed(http, model="sim/echo?id=listed", limit="4")
    rest = listed(http, model="sim/echo?id=listed", before=repr(page[-1]["at"]))
    broken = listed(http, code="target_failed", outcome="failed")

    assert [entry["id"] for entry in ok] == [f"log-ok-{number}" for number in range(5, -1, -1)]
    assert [entry["id"] for entry in page + rest] == [entry["id"] for entry in ok]
    assert [entry["id"] for entry in broken] == ["log-broken"]
    assert "steps" not in ok[0]
    assert listed(http, id="log-broken", steps="true")[0]["steps"]


def test_a_request_that_was_no_call_is_listed(http: httpx2.Client) -> None:
    """What was refused at the edge is there, under its code."""
    http.post(CHAT, content=b"{", headers={"x-request-id": "log-bad", "content-type": "application/json"})

    (entry,) = listed(http, id="log-bad")
    assert (entry["outcome"], entry["status"], entry["code"]) == ("refused", 400, "invalid_json")


def test_no_content_is_kept(http: httpx2.Client, upstream: Upstream) -> None:
    """Neither prompts nor answers nor keys can be looked up."""
    upstream.on("secret", whole())
    ask(http, "box/secret", "log-secret", authorization="Bearer sk-caller-canary")

    shown = http.get("/admin/requests/log-secret", headers=TOKEN).text

    for secret in (CANARY, "one two", "sk-caller-canary", "sk-canary-of-the-provider"):
        assert secret not in shown


@pytest.mark.parametrize("path", ["requests", "requests/x", "stats", "events"])
def test_only_who_has_the_token_may_look(http: httpx2.Client, path: str) -> None:
    """The administration is nobody else's."""
    answer = http.get(f"/admin/{path}", headers={"authorization": "Bearer wrong"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("query", "param"),
    [("colour=red", "colour"), ("status=good", "status"), ("limit=0", "limit"), ("limit=9999", "limit")],
)
def test_a_filter_that_is_none_is_refused(http: httpx2.Client, query: str, param: str) -> None:
    """The answer names what is wrong."""
    answer = http.get(f"/admin/requests?{query}", headers=TOKEN)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_unknown_call_is_not_found(http: httpx2.Client) -> None:
    """Nothing is made up."""
    answer = http.get("/admin/requests/never", headers=TOKEN)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_figures_are_those_of_all_workers(http: httpx2.Client) -> None:
    """Calls of the last minute, whoever served them, by target and with their times."""
    before = http.get("/admin/stats", headers=TOKEN).json()
    for number in range(10):
        ask(http, "sim/echo?id=figures", f"figure-{number}")

    after = http.get("/admin/stats", headers=TOKEN).json()

    assert after["calls"]["total"] == before["calls"]["total"] + 10
    assert after["workers"] == 2
    (target,) = [row for row in after["targets"] if row["model"] == "echo?id=figures"]
    assert (target["calls"], target["failed"]) == (10, 0)
    assert target["duration_ms"]["p50"] > 0
    assert after["recent"]["60s"]["calls_per_s"] > 0
    assert after["recent"]["60s"]["overhead_ms"]["p99"] > 0
    assert len(after["config_digest"]) == 16


class Watcher:
    """Somebody who watches the events of a gateway."""

    def __init__(self, gateway: GatewayProcess, query: str = "") -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._ready = threading.Event()
        self._http = httpx2.Client(base_url=gateway.url, **LOCAL)
        self._query = query
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        assert self._ready.wait(LIMIT_S)

    def names(self) -> list[str]:
        """Return the names of what was seen."""
        return [name for name, _ in self.seen]

    def leave(self) -> None:
        """Watch no more; the thread ends with the next word of the gateway, or with the gateway."""
        self._http.close()

    def _watch(self) -> None:
        try:
            with self._http.stream("GET", f"/admin/events{self._query}", headers=TOKEN) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                self._read(answer)
        except (httpx2.HTTPError, httpx2.StreamError, RuntimeError):
            pass

    def _read(self, answer: httpx2.Response) -> None:
        name = ""
        for line in answer.iter_lines():
            self._ready.set()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.seen.append((name, msgspec.json.decode(line.removeprefix("data: "))))


def test_events_can_be_watched_as_they_happen(gateway: GatewayProcess, http: httpx2.Client, upstream: Upstream) -> None:
    """Of all workers, without content, and only those that were asked for."""
    upstream.on("first", refused(503))
    upstream.on("second", whole())
    everything, one = Watcher(gateway), Watcher(gateway, "?event=fallback_triggered&request_id=watched-3")

    def all_seen() -> bool:
        """Make some calls; those of a worker that is not watched yet, for it was slow to hear of it, are not seen."""
        wanted = everything.names().count("request_completed") + 8
        for number in range(8):
            ask(http, "pair", f"watched-{number}")
        for _ in range(100):
            if everything.names().count("request_completed") >= wanted and one.seen:
                return True
            threading.Event().wait(0.05)
        return False

    eventually(all_seen, "not all was seen")
    for watcher in (everything, one):
        watcher.leave()

    assert {"request_started", "attempt_ended", "fallback_triggered", "request_completed"} <= set(everything.names())
    assert {(name, told["request_id"], told["to"]) for name, told in one.seen} == {
        ("fallback_triggered", "watched-3", "box/second")
    }
    assert CANARY not in repr(everything.seen)


def test_watching_does_not_hold_up_the_end(upstream: Upstream) -> None:
    """A gateway that is told to end does so, whoever watches."""
    with running(Start(configured(upstream, server={"drain_s": 600}))) as process:
        watcher = Watcher(process)
        process.process.terminate()
        ended = process.process.wait(LIMIT_S)
    watcher.leave()

    assert ended in {0, -15}


def test_nothing_went_wrong_inside(gateway: GatewayProcess) -> None:
    """No test so far has made the gateway report a fault of its own."""
    assert [line for line in gateway.logs() if line["event"] in {"internal_fault", "server_log"}] == []
    assert gateway.metric("wizard_telemetry_errors_total") == 0


# --- stores ----------------------------------------------------------------------------------------------------------


@contextmanager
def in_sqlite(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Keep the log in a file."""
    yield {"request_log": {"enabled": True, "store": "sqlite", "path": str(folder / "log.db")}}


@contextmanager
def in_redis(_folder: Path) -> Iterator[Mapping[str, Any]]:
    """Keep the log in Redis."""
    with redis_server() as server:
        yield {"request_log": {"enabled": True, "store": "redis"}, "redis": server.patient}


@pytest.mark.parametrize("store", [in_sqlite, in_redis])
def test_a_log_that_is_kept_elsewhere_outlives_the_gateway(
    upstream: Upstream, tmp_path: Path, store: Callable[[Path], Any]
) -> None:
    """What one process has kept, the next one can look up; workers share it."""
    upstream.on("kept", whole())
    with store(tmp_path) as sections:
        for round_number in range(2):
            with (
                running(Start(configured(upstream, **sections), flags=["--workers", f"{round_number + 1}"])) as process,
                client(process) as http,
            ):
                for number in range(4):
                    ask(http, "box/kept", f"kept-{round_number}-{number}")
                wanted = 4 * (round_number + 1)

                def complete(http: httpx2.Client = http, wanted: int = wanted) -> bool:
                    return len(listed(http, target_model="kept")) == wanted

                eventually(complete, "not all calls were kept")


def test_without_a_request_log_there_is_none(upstream: Upstream) -> None:
    """The list is empty and says how to have one; figures and events need no log."""
    config = {**configuration(upstream), "admin": {"token": "admin-token"}}
    with running(Start(config)) as process, client(process) as http:
        none = http.get("/admin/requests", headers=TOKEN)
        one = http.get("/admin/requests/any", headers=TOKEN)
        stats = http.get("/admin/stats", headers=TOKEN)

    assert (none.status_code, none.json()["requests"], none.json()["enabled"]) == (200, [], False)
    assert "request_log.enabled" in none.json()["suggestion"]
    assert (one.status_code, one.json()["error"]["code"]) == (404, "not_found")
    assert stats.json()["workers"] == 1


# --- the story of one's own call -------------------------------------------------------------------------------------


def test_a_caller_sees_the_story_of_its_call(http: httpx2.Client, upstream: Upstream) -> None:
    """In a header, also of a failure; in the metadata of /v1/generate as well, where a stream tells it at its end."""
    upstream.on("first", refused(503))
    upstream.on("second", whole())
    upstream.on("broken", refused(500))

    fallen_back = ask(http, "pair", "debug-1", x_wizard_debug="1")
    failed = ask(http, "box/broken", "debug-2", x_wizard_debug="1")
    body = {"model": "sim/echo", "prompt": "a b", "stream": True}
    streamed = http.post(GENERATE, json=body, headers={"x-wizard-debug": "1"}).text

    steps = msgspec.json.decode(fallen_back.headers["x-wizard-debug"])
    assert [step["what"] for step in steps if step["what"] != "spent"][:2] == ["attempt_ended", "fell_back"]
    assert "retry_scheduled" in {step["what"] for step in msgspec.json.decode(failed.headers["x-wizard-debug"])}
    frames = [msgspec.json.decode(line[6:]) for line in streamed.splitlines() if line.startswith('data: {"')]
    (told,) = [frame["wizard"]["debug"]["steps"] for frame in frames if "wizard" in frame]
    assert "stream_started" in {step["what"] for step in told}


def test_who_does_not_ask_is_not_told(http: httpx2.Client) -> None:
    """Without the header nothing is added."""
    plain = ask(http, "sim/echo", "debug-3")
    generated = http.post(GENERATE, json={"model": "sim/echo", "prompt": "a"}).json()

    assert "x-wizard-debug" not in plain.headers
    assert "debug" not in generated["wizard"]


@pytest.mark.parametrize(("debug", "shown"), [("auto", True), ("always", True), ("never", False)])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_story_is_shown_as_configured(upstream: Upstream, debug: str, *, shown: bool, enabled: bool) -> None:
    """With a request log and without, and to nobody where nobody shall see it."""
    config = configured(upstream, request_log={"enabled": enabled, "debug": debug})
    with running(Start(config)) as process, client(process) as http:
        answers = [ask(http, "sim/echo", f"shown-{number}", x_wizard_debug="1") for number in range(3)]

    assert ["x-wizard-debug" in answer.headers for answer in answers] == [shown] * 3


def test_strangers_are_not_told_by_default(upstream: Upstream) -> None:
    """A gateway that others can reach keeps its targets and limits to itself."""
    config = configured(upstream, auth={"allow_open": True}, server={"host": "0.0.0.0"})  # noqa: S104 - what the test is about
    with running(Start(config)) as process, client(process) as http:
        answer = ask(http, "sim/echo", "stranger", x_wizard_debug="1")

    assert answer.status_code == 200
    assert "x-wizard-debug" not in answer.headers

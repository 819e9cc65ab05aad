"""
Realistic users for locust: people who ask and wait, people who watch the answer stream in, and broken clients.

    locust -f loadtests/locustfile.py --headless --host http://127.0.0.1:8080 -u 20 -r 5 -t 30s --model sim/echo

The time to first token appears as a request type of its own, TTFT.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any, Final

from locust import HttpUser, between, events, task

_PATH: Final = "/v1/chat/completions"
_SENTENCE: Final = "The quick brown fox jumps over the lazy dog while the band plays on. "
_SMALL, _MEDIUM, _LARGE = 200, 2_000, 20_000  # bytes of prompt: a question, a page, a document
_BAD_REQUEST: Final = 400


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator] # locust's events have no types
def add_options(parser: ArgumentParser) -> None:
    """Let the command line choose the model and a key."""
    parser.add_argument("--model", default="sim/echo", help="model to ask for")
    parser.add_argument("--key", default="", help="gateway key, if it needs one")


class GatewayUser(HttpUser):
    """What all users share: one way to ask."""

    abstract = True
    wait_time = between(0.1, 1.0)

    def on_start(self) -> None:
        """Identify with the key of the command line."""
        key = self.environment.parsed_options.key
        if key:
            self.client.headers["authorization"] = f"Bearer {key}"

    def body(self, prompt_bytes: int, **extra: object) -> dict[str, Any]:
        """Build a request with a prompt of `prompt_bytes` characters."""
        prompt = (_SENTENCE * (prompt_bytes // len(_SENTENCE) + 1))[:prompt_bytes]
        model = self.environment.parsed_options.model
        return {"model": model, "messages": [{"role": "user", "content": prompt}], **extra}


class Asker(GatewayUser):
    """Asks and waits for the whole answer."""

    weight = 6

    @task(6)
    def ask_briefly(self) -> None:
        """Ask a question."""
        self.client.post(_PATH, json=self.body(_SMALL), name="unary 0.2 KB")

    @task(3)
    def ask_about_a_page(self) -> None:
        """Ask about a page of text."""
        self.client.post(_PATH, json=self.body(_MEDIUM), name="unary 2 KB")

    @task(1)
    def ask_about_a_document(self) -> None:
        """Ask about a document."""
        self.client.post(_PATH, json=self.body(_LARGE), name="unary 20 KB")


class Watcher(GatewayUser):
    """Watches the answer stream in."""

    weight = 3

    @task(3)
    def watch_a_brief_answer(self) -> None:
        """Stream the answer to a question."""
        self._watch(_SMALL, "stream 0.2 KB")

    @task(1)
    def watch_an_answer_about_a_page(self) -> None:
        """Stream the answer about a page of text."""
        self._watch(_MEDIUM, "stream 2 KB")

    def _watch(self, prompt_bytes: int, name: str) -> None:
        began_s = time.perf_counter()
        first_ms: float | None = None
        last = b""
        body = self.body(prompt_bytes, stream=True)
        with self.client.post(_PATH, json=body, name=name, stream=True, catch_response=True) as answer:
            for line in answer.iter_lines():
                if first_ms is None and b'"content":"' in line and b'"content":""' not in line:
                    first_ms = (time.perf_counter() - began_s) * 1000
                last = line or last
            # locust would stop its clock at the head of the answer
            answer.request_meta["response_time"] = (time.perf_counter() - began_s) * 1000
            if last != b"data: [DONE]":
                answer.failure("the stream did not end with [DONE]")
        if first_ms is not None:
            self.environment.events.request.fire(
                request_type="TTFT", name=name, response_time=first_ms, response_length=0, exception=None, context={}
            )


class BrokenClient(GatewayUser):
    """Sends what no gateway should accept; only a 400 is right."""

    weight = 1

    @task
    def send_half_a_body(self) -> None:
        """Send JSON that stops in the middle."""
        self._expect_refusal(b'{"model": "sim/echo", "messages": [', "bad: cut JSON")

    @task
    def send_wrong_types(self) -> None:
        """Send a switch that is a word."""
        self._expect_refusal(b'{"model": "sim/echo", "messages": [], "stream": "perhaps"}', "bad: wrong type")

    def _expect_refusal(self, body: bytes, name: str) -> None:
        headers = {"content-type": "application/json"}
        with self.client.post(_PATH, data=body, headers=headers, name=name, catch_response=True) as answer:
            if answer.status_code == _BAD_REQUEST:
                answer.success()
            else:
                answer.failure(f"answered {answer.status_code} where 400 was due")

"""
What a provider may be able to do, and which test of the suite shows whether it can: the rows of the matrix.

A row has evidence: a golden request, a golden answer, a refusal, or an operation. A cell is what the evidence says for
a provider, together with the name of the test that holds the code to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec

from app.core.model import Operation
from tests.providers.conformance.corpus import decoded, encoded, encoded_operation, put_together, streamed
from tests.providers.conformance.dialects import COLUMNS, DIALECTS, PASSING, Dialect
from tests.providers.conformance.errors import REFUSALS
from tests.providers.conformance.services import COUNTING, KEEPING, LISTS

Json = dict[str, Any]
YES, NO, DROPPED, IGNORED, ESTIMATED = "yes", "-", "dropped", "ignored", "estimated"
SUITE = "tests/providers/conformance"
_PASSING = {dialect.name for dialect in PASSING}
_ALL = {dialect.name for dialect in COLUMNS}


class Cell(NamedTuple):
    """What a provider makes of a feature, and the test that shows it."""

    mark: str
    test: str


class Evidence(Protocol):
    """Where a row's cells come from."""

    def cell(self, dialect: Dialect) -> Cell:
        """Return what it shows for a provider."""
        ...


class Row(NamedTuple):
    """A line of the matrix."""

    feature: str
    evidence: Evidence


@dataclass(frozen=True)
class Asked:
    """A golden request: encoded, encoded without the `field`, or refused; who carries it has `needs` in the body."""

    name: str
    field: str = ""
    needs: str = ""

    def cell(self, dialect: Dialect) -> Cell:
        """Return what becomes of the request."""
        if dialect.name in _PASSING:
            return Cell(YES, f"{SUITE}/test_passing.py::test_a_request_passes_as_it_is[{self.name}-{dialect.name}]")
        test = f"{SUITE}/test_golden.py::test_a_request_becomes_what_is_kept[{self.name}-{dialect.name}]"
        found = encoded(dialect, self.name)
        if "refused" in found:
            return Cell(NO, test)
        if self.field in found["dropped"]:
            return Cell(DROPPED, test)
        return Cell(YES if self.needs in msgspec.json.encode(found["body"]).decode() else IGNORED, test)


@dataclass(frozen=True)
class Told:
    """A golden answer, whole or streamed: it is there, and its canonical form `holds` what the row is about."""

    name: str
    holds: Callable[[Json], bool]
    stream: bool = False

    def cell(self, dialect: Dialect) -> Cell:
        """Return whether it arrives."""
        kind = "a_stream" if self.stream else "an_answer"
        if dialect.name in _PASSING:
            return Cell(YES, f"{SUITE}/test_passing.py::test_{kind}_passes_as_it_is[{self._source()}-{dialect.name}]")
        names = dialect.streams() if self.stream else dialect.answers()
        if self.name not in names:
            return Cell(NO, f"{SUITE}/test_golden.py::test_{kind}_becomes_what_is_kept[{dialect.recordings}-text]")
        test = f"{SUITE}/test_golden.py::test_{kind}_becomes_what_is_kept[{dialect.recordings}-{self.name}]"
        return Cell(YES if self.holds(self._heard(dialect)) else NO, test)

    def _source(self) -> str:
        """Return the first recording that holds it, as its canonical form is OpenAI's own."""
        for dialect in DIALECTS:
            recorded = dialect.streams() if self.stream else dialect.answers()
            if self.name in recorded and self.holds(self._heard(dialect)):
                return f"{dialect.name}-{self.name}"
        raise LookupError(self.name)

    def _heard(self, dialect: Dialect) -> Json:
        """Return the answer's message with its usage and finish reason, as a client knows it in the end."""
        if not self.stream:
            body: Json = msgspec.json.decode(decoded(dialect, dialect.answer(self.name)).raw)
            choice = body["choices"][0]
            return {**choice["message"], **{key: choice.get(key) for key in ("finish_reason", "logprobs")}, **body}
        events = streamed(dialect, dialect.stream(self.name))
        frames = [msgspec.json.decode(event.frame[6:]) for event in events if event.frame and not event.done]
        deltas = [choice["delta"] for frame in frames for choice in frame["choices"]]
        members = {key: value for delta in deltas for key, value in delta.items() if value}
        logprobs = [choice["logprobs"] for frame in frames for choice in frame["choices"] if choice.get("logprobs")]
        usage = [frame["usage"] for frame in frames if frame.get("usage")]
        one = put_together(events)[0]
        calls = [{"function": call} for call in one["calls"].values()]
        more = {
            "content": one["text"],
            "finish_reason": one["finish"],
            "tool_calls": calls,
            "choices": put_together(events),
        }
        return {**members, **more, "logprobs": logprobs, "usage": usage[-1] if usage else {}}


@dataclass(frozen=True)
class Refused:
    """A refusal that is told apart from others, by its code in the error table."""

    code: str

    def cell(self, dialect: Dialect) -> Cell:
        """Return whether the provider's words for it are known."""
        source = "openai" if dialect.name in {"azure", "openai-responses"} else dialect.recordings
        test = f"{SUITE}/test_refusals.py::test_refusals_are_told_apart"
        for refusal in REFUSALS:
            if (refusal.dialect, refusal.code) == (source, self.code):
                return Cell(YES, f"{test}[{source}-{refusal.status}-{refusal.code}]")
        return Cell(NO, f"{SUITE}/test_refusals.py::test_every_status_means_something[400-{source}]")


@dataclass(frozen=True)
class Served:
    """An operation that is no chat: sent on in the provider's form, or refused."""

    operation: Operation

    def cell(self, dialect: Dialect) -> Cell:
        """Return whether it is taken."""
        test = f"{SUITE}/test_operations.py::test_an_operation_becomes_what_is_kept"
        found = encoded_operation(dialect, self.operation)
        return Cell(NO if "refused" in found else YES, f"{test}[{self.operation.value}-{dialect.name}]")


@dataclass(frozen=True)
class Known:
    """Something that the gateway itself does with a provider; `of` are the dialects of those that it can do it with."""

    of: AbstractSet[str]
    test: str
    otherwise: str = NO

    def cell(self, dialect: Dialect) -> Cell:
        """Return whether it can."""
        test = self.test.replace("]", f"-{dialect.name}]") if "]" in self.test else f"{self.test}[{dialect.name}]"
        return Cell(YES if dialect.name in self.of else self.otherwise, f"{SUITE}/test_services.py::{test}")


def _calls(heard: Json) -> bool:
    return len(heard.get("tool_calls") or ()) == 2  # as many as are recorded


def _signed(heard: Json) -> bool:
    details = heard.get("reasoning_details") or ()
    return bool(heard.get("extra_content")) or any(each.get("signature") or each.get("data") for each in details)


def _cached(heard: Json) -> bool:
    return bool((heard["usage"].get("prompt_tokens_details") or {}).get("cached_tokens"))


def _counted(heard: Json) -> bool:
    return bool((heard["usage"].get("completion_tokens_details") or {}).get("reasoning_tokens"))


def _has(member: str) -> Callable[[Json], bool]:
    return lambda heard: bool(heard.get(member))


def _ends(reason: str) -> Callable[[Json], bool]:
    return lambda heard: heard["finish_reason"] == reason


ROWS: Mapping[str, tuple[Row, ...]] = {
    "requests": (
        Row("system prompt", Asked("system")),
        Row("bound of the answer", Asked("max-tokens")),
        Row("tools, and their results", Asked("tool-results")),
        Row("some tool demanded", Asked("tool-required")),
        Row("a certain tool demanded", Asked("tool-forced")),
        Row("a choice of allowed tools", Asked("tool-allowed")),
        Row("tools forbidden", Asked("tool-none")),
        Row("one tool call at a time", Asked("serial-tools", "parallel_tool_calls")),
        Row("strict tools", Asked("strict-tool", "strict", "strict")),
        Row("tools that failed", Asked("result-error", needs="error")),
        Row("images in the request", Asked("image")),
        Row("images by address", Asked("image-url")),
        Row("images in results of tools", Asked("result-image", needs="iVBORw0KGgo=")),
        Row("audio", Asked("audio")),
        Row("files", Asked("file")),
        Row("files by address", Asked("file-url")),
        Row("uploaded files", Asked("file-id")),
        Row("JSON object", Asked("json", "response_format")),
        Row("JSON schema", Asked("json-schema", "response_format")),
        Row("reasoning effort", Asked("reasoning", "reasoning_effort")),
        Row("reasoning switched off", Asked("no-reasoning", "reasoning_effort")),
        Row("signed reasoning sent back", Asked("thoughts", needs="c2ln")),
        Row("marks for the prompt cache", Asked("cache-marks", needs="ache")),
        Row("names of speakers", Asked("names", "name")),
        Row("temperature and top_p", Asked("sampling", "top_p")),
        Row("top_k", Asked("top-k", "top_k")),
        Row("frequency and presence penalty", Asked("penalties", "frequency_penalty")),
        Row("stop sequences", Asked("stop", "stop")),
        Row("seed", Asked("seed", "seed")),
        Row("user", Asked("user", "user")),
        Row("several choices (n)", Asked("choices")),
        Row("log probabilities", Asked("logprobs")),
        Row("web search", Asked("web-search-on")),
    ),
    "answers": (
        Row("text", Told("text", _has("content"))),
        Row("text, streamed", Told("text", _has("content"), stream=True)),
        Row("parallel tool calls", Told("tools", _calls)),
        Row("parallel tool calls, streamed", Told("tools", _calls, stream=True)),
        Row("reasoning", Told("reasoning", _has("reasoning_content"))),
        Row("reasoning, streamed", Told("reasoning", _has("reasoning_content"), stream=True)),
        Row("signatures kept", Told("reasoning", _signed)),
        Row("signatures kept, streamed", Told("reasoning", _signed, stream=True)),
        Row("citations", Told("citations", _has("annotations"))),
        Row("citations, streamed", Told("citations", _has("annotations"), stream=True)),
        Row("refusals", Told("refusal", _has("refusal"))),
        Row("safety blocks", Told("filtered", _ends("content_filter"))),
        Row("safety blocks, streamed", Told("filtered", _ends("content_filter"), stream=True)),
        Row("cut at the bound", Told("length", _ends("length"))),
        Row("log probabilities told", Told("logprobs", _has("logprobs"))),
        Row("log probabilities told, streamed", Told("logprobs", _has("logprobs"), stream=True)),
        Row("images in the answer", Told("image", _has("images"))),
        Row("usage with cached tokens", Told("reasoning", _cached)),
        Row("usage with cached tokens, streamed", Told("reasoning", _cached, stream=True)),
        Row("usage with reasoning tokens", Told("reasoning", _counted)),
        Row("usage with reasoning tokens, streamed", Told("reasoning", _counted, stream=True)),
    ),
    "refusals told apart": (
        Row("wrong request", Refused("invalid_request")),
        Row("prompt too long", Refused("context_too_long")),
        Row("content policy", Refused("content_blocked")),
        Row("unknown model", Refused("target_model_missing")),
        Row("bad key", Refused("target_misconfigured")),
        Row("rate limit", Refused("target_rate_limited")),
        Row("spent quota", Refused("target_quota_spent")),
        Row("overloaded", Refused("target_busy")),
    ),
    "other operations": (
        Row("embeddings", Served(Operation.EMBEDDINGS)),
        Row("reranking", Served(Operation.RERANK)),
        Row("legacy completions", Served(Operation.COMPLETIONS)),
        Row("moderations", Served(Operation.MODERATIONS)),
        Row("images made", Served(Operation.IMAGES)),
        Row("speech", Served(Operation.SPEECH)),
        Row("transcriptions", Served(Operation.TRANSCRIPTIONS)),
        Row("files", Known(KEEPING, "test_files_and_batches[files]")),
        Row("batches", Known(KEEPING, "test_files_and_batches[batches]")),
    ),
    "what the gateway asks by itself": (
        Row("which models there are", Known(LISTS.keys(), "test_models_are_found")),
        Row("how many tokens a prompt has", Known(COUNTING, "test_tokens_are_counted", ESTIMATED)),
        Row("whether it is well", Known(_ALL, "test_a_probe_is_answered[whole]")),
        Row("whether it is well, streamed", Known(_ALL, "test_a_probe_is_answered[streamed]")),
    ),
}

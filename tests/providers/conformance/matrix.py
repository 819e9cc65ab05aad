"""
Which provider can do what, as the golden files have it: `python -m tests.providers.conformance.matrix` writes it down.

Every cell is the outcome of a test: a golden request that is encoded, refused, or encoded without the field;
a golden answer or stream; an operation that the codec takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from app.core.call import Target
from app.core.errors import GatewayError
from app.core.model import Operation, PlainRequest
from tests.providers.conformance.corpus import encoded
from tests.providers.conformance.dialects import DIALECTS, Dialect

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"
START, END = "<!-- matrix: made by tests/providers/conformance/matrix.py -->", "<!-- end of the matrix -->"
YES, NO, DROPPED = "yes", "-", "dropped"
# Row of the table: the golden request that shows it, and the field that may get lost.
REQUESTED: Mapping[str, tuple[str, str]] = {
    "system prompt": ("system", ""),
    "tools, and their results": ("tool-results", ""),
    "some tool demanded": ("tool-required", ""),
    "a certain tool demanded": ("tool-forced", ""),
    "a choice of allowed tools": ("tool-allowed", ""),
    "tools forbidden": ("tool-none", ""),
    "one tool call at a time": ("serial-tools", "parallel_tool_calls"),
    "images in the request": ("image", ""),
    "images by address": ("image-url", ""),
    "audio": ("audio", ""),
    "files": ("file", ""),
    "JSON object": ("json", "response_format"),
    "JSON schema": ("json-schema", "response_format"),
    "reasoning effort": ("reasoning", "reasoning_effort"),
    "temperature and top_p": ("sampling", "top_p"),
    "top_k": ("top-k", "top_k"),
    "frequency and presence penalty": ("penalties", "frequency_penalty"),
    "stop sequences": ("stop", "stop"),
    "seed": ("seed", "seed"),
    "several choices (n)": ("choices", ""),
    "log probabilities": ("logprobs", ""),
}
OPERATIONS: Mapping[str, tuple[Operation, dict[str, object]]] = {
    "embeddings": (Operation.EMBEDDINGS, {"input": "a"}),
    "reranking": (Operation.RERANK, {"query": "a", "documents": ["b"]}),
    "legacy completions": (Operation.COMPLETIONS, {"prompt": "a"}),
    "moderations": (Operation.MODERATIONS, {"input": "a"}),
    "images made": (Operation.IMAGES, {"prompt": "a"}),
    "speech": (Operation.SPEECH, {"input": "a"}),
    "transcriptions": (Operation.TRANSCRIPTIONS, {}),
}
EMBEDDING_MODELS: Mapping[str, str] = {"bedrock": "amazon.titan-embed-text-v2:0"}


def matrix() -> str:
    """Return the table."""
    names = [dialect.name for dialect in DIALECTS]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {row} | {' | '.join(cells)} |" for row, cells in _rows()]
    return "\n".join(lines)


def _rows() -> Iterator[tuple[str, list[str]]]:
    for row, (name, field) in REQUESTED.items():
        yield row, [_requested(dialect, name, field) for dialect in DIALECTS]
    yield "streams", [YES if dialect.name == "openai" or "text" in dialect.streams() else NO for dialect in DIALECTS]
    for row, name in {"parallel tool calls": "tools", "reasoning in the answer": "reasoning"}.items():
        yield row, [YES if dialect.name == "openai" or name in dialect.answers() else NO for dialect in DIALECTS]
    for row, (operation, fields) in OPERATIONS.items():
        yield row, [_operation(dialect, operation, fields) for dialect in DIALECTS]


def _requested(dialect: Dialect, name: str, field: str) -> str:
    if dialect.name == "openai":
        return YES  # bodies pass as they are
    found = encoded(dialect, name)
    if "refused" in found:
        return NO
    return DROPPED if field and field in found["dropped"] else YES


def _operation(dialect: Dialect, operation: Operation, fields: dict[str, object]) -> str:
    raw = msgspec.json.encode({"model": "m", **fields})
    model = EMBEDDING_MODELS.get(dialect.name, dialect.tag)
    try:
        dialect.codec().encode(PlainRequest(operation, "m", raw), Target("p", model))
    except GatewayError:
        return NO
    return YES


def main() -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{matrix()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

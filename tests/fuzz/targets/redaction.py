"""
Redaction and restoring: bodies and texts, whole and in pieces.

What is redacted comes back when it is restored, and neither depends on how a text was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from app.core.errors import GatewayError
from app.core.redaction.body import CHAT
from app.core.redaction.editing import InJson, Plain, Rewriter, in_json
from app.core.redaction.hold_back import Cut
from app.core.redaction.placeholders import Restore, Vault, meanings_in
from tests.core.redaction.corpus import samples
from tests.core.redaction.parts import EVERYTHING, redactor
from tests.fuzz.targets.pieces import chosen, cut, text_of
from tests.fuzz.targets.target import Target

RULES = redactor()
VALUES = ('say "hi"@example.com', "4111 1111 1111 1111", "\\\n\u2028[EMAIL_1]", "é😀")


def redact(data: bytes) -> None:
    """Redact a body, or a text in pieces, and put everything back."""
    (kind, size), raw = chosen(data, 2)
    if kind % 2:
        _body(raw)
    else:
        _text(text_of(raw), size)


def restore(data: bytes) -> None:
    """Put values back into a text that a model wrote, whole and in pieces, as it is and inside of JSON."""
    (kind, size), raw = chosen(data, 2)
    text = text_of(raw)
    written = in_json(text) if kind % 2 else text
    results = {_rewritten(_restoring(json=bool(kind % 2)), pieces) for pieces in (cut(written, size), [written])}
    assert len(results) == 1
    if kind % 2:
        plain = _rewritten(_restoring(json=False), [text])
        assert msgspec.json.decode(f'"{results.pop()}"') == plain


def _restoring(*, json: bool) -> Rewriter:
    vault = Vault()
    for value in VALUES:
        vault.put("email", value)
    return InJson(Restore(vault)) if json else Plain(Restore(vault))


def _rewritten(rewriter: Rewriter, pieces: Sequence[str]) -> str:
    return "".join([*map(rewriter.feed, pieces), rewriter.end()])


def _text(text: str, size: int) -> None:
    def looking() -> Rewriter:
        return Plain(Cut(EVERYTHING, lambda detector, _value: f"<{detector}>", 128))

    assert _rewritten(looking(), cut(text, size)) == _rewritten(looking(), [text])
    vault = Vault(meanings_in(text))
    hidden = RULES.redact_text(text, vault)
    assert _rewritten(Plain(Restore(vault)), cut(hidden, size)) == text


def _body(raw: bytes) -> None:
    try:
        meant = msgspec.json.decode(raw.decode())  # as the edge has seen that it is
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    with suppress(GatewayError, RecursionError):
        redacted = RULES.redact(raw, CHAT)
        assert type(msgspec.json.decode(redacted.raw)) is type(meant)


_SENTENCES = [sample.text.encode() for sample in samples()]

REDACTOR = Target(
    "redactor",
    redact,
    [
        *[b"\0\7" + text for text in _SENTENCES[::7]],
        *[b"\1\0" + msgspec.json.encode({"messages": [{"role": "user", "content": text.decode()}], "user": "a@b.io"})
          for text in _SENTENCES[::29]],
        b'\1\0{"messages":[{"role":"tool","content":"{\\"a\\": \\"x@example.com\\\\n\\"}"}]}',
    ],
    (
        (b"\0\x20", b"a@", b""),
        (b"\0\x20", b"a.b@c.example ", b""),
        (b"\0\x20", b"1", b""),
        (b"\0\x20", b"4111 ", b""),
        (b"\0\x20", b"sk-", b""),
        (b"\0\x20", b"-----BEGIN PRIVATE KEY-----", b""),
        (b"\0\x20", b"::", b""),
        (b"\0\x20", b"[EMAIL_1]", b""),
        (b"\0\x20", b"a" * 16, b""),
        (b'\1\0{"messages":[{"role":"user","content":"', b"a@b.example ", b'"}]}'),
        (b'\1\0{"messages":[{"role":"user","content":"', b"\\\\", b'"}]}'),
    ),
)  # fmt: skip
RESTORER = Target(
    "restorer",
    restore,
    [b"\0\3[EMAIL_1] and [Email\\_2]", b"\1\3[EMAIL_3] \\u005bEMAIL_4]", b"\1\1\\\\[EMAIL_1\\n]", b"\0\1[[EMAIL_1]]"],
    ((b"\0\x20", b"[", b""), (b"\0\x20", b"[EMAIL_1]", b""), (b"\1\x20", b"\\", b""), (b"\0\x20", b"[a", b"")),
)

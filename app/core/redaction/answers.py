"""Rewrite whole answers: each text on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from app.core.model import Completion
from app.core.redaction.body import ANSWER, ANSWER_IN_JSON, PLAIN_ANSWER, rewritten
from app.core.redaction.editing import Rewriter

MakeRewriter: TypeAlias = Callable[[bool], Rewriter]  # for a text that is JSON itself, or plain


class Form(msgspec.Struct, frozen=True):
    """
    What is known of an answer beforehand.

    `chat` says that it answers a chat request, whose texts have their places (else every text counts); `in_json` that
    its content is JSON, so that what is put in has to be escaped.
    """

    chat: bool
    in_json: bool = False


def rewrite_whole(completion: Completion, make: MakeRewriter, form: Form) -> Completion:
    """Return the answer with its texts rewritten; the same object if that changes nothing."""
    if completion.media_type.partition(";")[0].strip() != "application/json":
        return completion
    if not form.chat and not completion.raw.lstrip().startswith(b"{"):
        return _rewrite_prose(completion, make)
    rule = (ANSWER_IN_JSON if form.in_json else ANSWER) if form.chat else PLAIN_ANSWER

    def visit(_path: str, text: str, json: bool) -> str:
        rewriter = make(json)
        return rewriter.feed(text) + rewriter.end()

    raw = rewritten(completion.raw, rule, visit)
    return completion if raw is completion.raw else msgspec.structs.replace(completion, raw=raw, native=None)


def _rewrite_prose(completion: Completion, make: MakeRewriter) -> Completion:
    """Rewrite an answer that is one text, as a transcript may be; what is none is left alone."""
    try:
        text = completion.raw.decode()
    except UnicodeDecodeError:
        return completion
    rewriter = make(False)
    return msgspec.structs.replace(completion, raw=(rewriter.feed(text) + rewriter.end()).encode())

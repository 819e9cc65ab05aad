"""
Take out of each request what must not leave, and put it back into the answer.

Before the rate limit, the cache and the providers, so that none of them ever sees it. A failure in here is a failure of
the call: nothing goes on that was not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from app.core.call import Call, Reply
from app.core.model import ChatFields, ChatRequest, Completion, Operation, Request
from app.core.multipart import Form, is_form
from app.core.outcome import Outcome
from app.core.per_route import PerRoute
from app.core.pipeline import Handler
from app.core.redaction.answers import AnswerFormat, RewriteEvents, rewrite_whole
from app.core.redaction.body import CHAT, PLAIN, Rule
from app.core.redaction.editing import Chain, Editor, InJson, Plain, Rewriter
from app.core.redaction.hold_back import Cut
from app.core.redaction.placeholders import Restore, Vault
from app.core.redaction.redactor import Action, Found, Hit, Redactor, blocked_by
from app.core.redaction.redactor import Redacted as Done
from app.core.sessions import is_session_id
from app.core.signals import Listener, Redacted

_MARKS_OF_RESTORING = "[\\"  # a placeholder begins so, in JSON perhaps by an escape
_JSON_MODES = (b'"json_object"', b'"json_schema"')


class Outside(Protocol):
    """Detectors that are asked over a network."""

    async def find(self, texts: Sequence[str]) -> Found:
        """
        Return what is in the texts.

        Raises:
            GatewayError: STATE_UNAVAILABLE if there is no answer and the policy for that is to refuse.
        """


class Rules(msgspec.Struct, frozen=True):
    """
    What is looked for in calls of one route, and what becomes of it.

    `prompt` and `answer` are the two sides, None where nothing is looked for; `window_chars` is the most of a streamed
    answer that is held back; `outside` finds more in prompts.
    """

    prompt: Redactor | None
    answer: Redactor | None
    window_chars: int
    outside: Outside | None = None


class Redact:
    """
    Apply the rules of each call's route; None leaves its calls alone.

    Args:
        rules: Those of each route.

        listener: Told how much was found.
    """

    def __init__(self, rules: PerRoute[Rules | None], listener: Listener) -> None:
        self._rules = rules
        self._listener = listener

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Pass on a call without what its rules look for.

        Raises:
            GatewayError: CONTENT_BLOCKED with `param`, for what must not be there at all.
        """
        rules = self._rules.of(call.request.model)
        if rules is None:
            return await proceed(call)
        call, vault = await self._prompt(call, rules)
        reply = await proceed(call)
        if (rules.answer is None and not vault) or call.request.operation is Operation.SPEECH:
            return reply  # there is nothing to read, or it is sound
        return self._answered(_Answer(call, rules, vault, self._listener), reply)

    def explain(self, request: Request) -> tuple[tuple[Hit, ...], Request]:
        """Return what would be found in a request, and what would become of it; nobody outside is asked."""
        rules = self._rules.of(request.model)
        body = _body(request)
        if rules is None or rules.prompt is None or body is None:
            return (), request
        done = rules.prompt.redact(body, rule_of(request))
        return done.hits, request if done.raw is body else _with(request, done, rules.prompt)

    async def _prompt(self, call: Call, rules: Rules) -> tuple[Call, Vault]:
        """Return the call without what was found, and what must come back."""
        request, redactor = call.request, rules.prompt
        body = _body(request)
        if redactor is None or body is None:
            return call, Vault()
        also = await rules.outside.find(redactor.texts(body, rule_of(request))) if rules.outside else {}
        session = call.options.session
        kept = session if session is not None and is_session_id(session) else None
        done = redactor.redact(body, rule_of(request), also, kept)
        for hit in _by_detector(done.hits):
            self._listener(Redacted(call.id, "prompt", hit.detector, hit.action.value, hit.count))
        if done.blocked is not None:
            raise blocked_by(done.blocked.detector, done.blocked.field)
        if done.raw is body:
            return call, done.vault
        return msgspec.structs.replace(call, request=_with(request, done, redactor)), done.vault

    def _answered(self, answer: _Answer, reply: Reply) -> Reply:
        body = reply.body
        if isinstance(body, Completion):
            try:
                rewritten = rewrite_whole(body, answer.rewriter, answer.form)
            finally:
                answer.tell()
            return reply if rewritten is body else Reply(rewritten)
        marks = None if answer.looks else _MARKS_OF_RESTORING
        body.transform(RewriteEvents(answer.rewriter, answer.form, marks))
        if answer.looks:
            body.when_done(answer.tell)
        return reply


def rule_of(request: Request) -> Rule:
    """Return where the texts of a request's body are."""
    return CHAT if isinstance(request, ChatRequest) else PLAIN


class _Answer:
    """What is needed to rewrite one answer, and what was found in it."""

    def __init__(self, call: Call, rules: Rules, vault: Vault, listener: Listener) -> None:
        self._call = call
        self._rules = rules
        self._vault = vault
        self._listener = listener
        self._found: Counter[str] = Counter()
        self.looks = rules.answer is not None
        self.form = AnswerFormat(chat=isinstance(call.request, ChatRequest), in_json=_wants_json(call.request))

    def rewriter(self, json: bool) -> Rewriter:  # noqa: FBT001 - as `MakeRewriter` has it
        """Return what rewrites one text: first what the model says, then what comes back to the caller."""
        editors: list[Editor] = []
        if self._rules.answer is not None:
            editors.append(Cut(self._rules.answer.inspector, self._replace, self._rules.window_chars))
        if self._vault:
            editors.append(Restore(self._vault))
        rewriters = [InJson(editor) if json else Plain(editor) for editor in editors]
        return rewriters[0] if len(rewriters) == 1 else Chain(rewriters)

    def tell(self, _outcome: Outcome | None = None) -> None:
        """Report what was found."""
        redactor = self._rules.answer
        if redactor is not None:
            for detector, count in self._found.items():
                action = redactor.action_of(detector).value
                self._listener(Redacted(self._call.id, "answer", detector, action, count))

    def _replace(self, detector: str, value: str) -> str | None:
        redactor = self._rules.answer
        self._found[detector] += 1
        return None if redactor is None else redactor.replacement(detector, value, self._vault)


def _by_detector(hits: Sequence[Hit]) -> list[Hit]:
    """Return the sum over all fields."""
    counts: Counter[tuple[str, Action]] = Counter()
    for hit in hits:
        counts[hit.detector, hit.action] += hit.count
    return [Hit("", detector, action, count) for (detector, action), count in counts.items()]


def _body(request: Request) -> bytes | None:
    """Return what is looked through, as JSON: the body or, of a form, its texts; None if it is neither."""
    if isinstance(request, ChatRequest) or request.media_type.partition(";")[0].strip() == "application/json":
        return request.raw
    return Form(request.raw, request.media_type).texts() if is_form(request.media_type) else None


def _wants_json(request: Request) -> bool:
    if not isinstance(request, ChatRequest):
        return False
    wanted = bytes(request.fields.response_format)
    return any(mode in wanted for mode in _JSON_MODES)


def _with(request: Request, done: Done, redactor: Redactor) -> Request:
    """Return the request with another body, and with everything that was read from the first one read again."""
    if isinstance(request, ChatRequest):
        fields = msgspec.json.decode(done.raw, type=ChatFields)
        return msgspec.structs.replace(request, fields=fields, raw=done.raw, origin=None)
    text = tuple([redactor.redact_text(each, done.vault) for each in request.text])
    user = None if request.user is None else redactor.redact_text(request.user, done.vault)
    raw = Form(request.raw, request.media_type).with_texts(done.raw) if is_form(request.media_type) else done.raw
    return msgspec.structs.replace(request, raw=raw, text=text, user=user)

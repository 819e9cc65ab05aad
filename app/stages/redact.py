"""
Redact sensitive values from each request, and restore them in the answer.

Before the rate limit, the cache and the providers, so that none of them ever sees such a value. An error in here fails
the call: nothing is sent that was not inspected.
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

_MARKS_OF_RESTORING = "[\\"  # how a placeholder begins; in JSON perhaps with an escape
_JSON_MODES = (b'"json_object"', b'"json_schema"')


class Outside(Protocol):
    """Detectors that are called over the network."""

    async def find(self, texts: Sequence[str]) -> Found:
        """
        Return the findings in the texts.

        Raises:
            GatewayError: STATE_UNAVAILABLE if there is no answer and the policy for that is to refuse.
        """


class Rules(msgspec.Struct, frozen=True):
    """
    The redaction of one route.

    `prompt` and `answer` redact the two sides, None where nothing is redacted; `window_chars` is the most of a streamed
    answer that is held back; `outside` finds more in prompts.
    """

    prompt: Redactor | None
    answer: Redactor | None
    window_chars: int
    outside: Outside | None = None


class Redact:
    """
    Apply the redaction of each call's route.

    Args:
        rules: The rules of each route; None for a route without redaction.

        listener: Notified of the number of findings.
    """

    def __init__(self, rules: PerRoute[Rules | None], listener: Listener) -> None:
        self._rules = rules
        self._listener = listener

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Pass the call on redacted, and rewrite its answer.

        Raises:
            GatewayError: CONTENT_BLOCKED with `param`, for a finding whose action is to block.
        """
        rules = self._rules.of(call.request.model)
        if rules is None:
            return await proceed(call)
        call, vault = await self._prompt(call, rules)
        reply = await proceed(call)
        if (rules.answer is None and not vault) or call.request.operation is Operation.SPEECH:
            return reply  # there is nothing to rewrite, or it is audio
        return self._answered(_Answer(call, rules, vault, self._listener), reply)

    def explain(self, request: Request) -> tuple[tuple[Hit, ...], Request]:
        """Return the findings in a request, and the redacted request; detectors over the network are not called."""
        rules = self._rules.of(request.model)
        body = _body(request)
        if rules is None or rules.prompt is None or body is None:
            return (), request
        done = rules.prompt.redact(body, rule_of(request))
        return done.hits, request if done.raw is body else _with(request, done, rules.prompt)

    async def _prompt(self, call: Call, rules: Rules) -> tuple[Call, Vault]:
        """Return the redacted call, and the vault of values to restore in the answer."""
        request, redactor = call.request, rules.prompt
        body = _body(request)
        if redactor is None or body is None:
            return call, Vault()
        outside_findings = await rules.outside.find(redactor.texts(body, rule_of(request))) if rules.outside else {}
        name = call.options.session
        session_id = name if name is not None and is_session_id(name) else None
        done = redactor.redact(body, rule_of(request), outside_findings, session_id)
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
    """Return the rule that locates the texts in a request's body."""
    return CHAT if isinstance(request, ChatRequest) else PLAIN


class _Answer:
    """The rewriting of one answer, and its findings."""

    def __init__(self, call: Call, rules: Rules, vault: Vault, listener: Listener) -> None:
        self._call = call
        self._rules = rules
        self._vault = vault
        self._listener = listener
        self._found: Counter[str] = Counter()
        self.looks = rules.answer is not None
        self.form = AnswerFormat(chat=isinstance(call.request, ChatRequest), in_json=_wants_json(call.request))

    def rewriter(self, json: bool) -> Rewriter:  # noqa: FBT001 - as `MakeRewriter` has it
        """Return the rewriter of one text: it redacts the model's output first, then restores the caller's values."""
        editors: list[Editor] = []
        if self._rules.answer is not None:
            editors.append(Cut(self._rules.answer.inspector, self._replace, self._rules.window_chars))
        if self._vault:
            editors.append(Restore(self._vault))
        rewriters = [InJson(editor) if json else Plain(editor) for editor in editors]
        return rewriters[0] if len(rewriters) == 1 else Chain(rewriters)

    def tell(self, _outcome: Outcome | None = None) -> None:
        """Report the findings."""
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
    """Sum the hits of all fields, by detector and action."""
    counts: Counter[tuple[str, Action]] = Counter()
    for hit in hits:
        counts[hit.detector, hit.action] += hit.count
    return [Hit("", detector, action, count) for (detector, action), count in counts.items()]


def _body(request: Request) -> bytes | None:
    """Return the JSON to inspect: the body or, of a form, its texts; None if the body is neither."""
    if isinstance(request, ChatRequest) or request.media_type.partition(";")[0].strip() == "application/json":
        return request.raw
    return Form(request.raw, request.media_type).texts() if is_form(request.media_type) else None


def _wants_json(request: Request) -> bool:
    if not isinstance(request, ChatRequest):
        return False
    wanted = bytes(request.fields.response_format)
    return any(mode in wanted for mode in _JSON_MODES)


def _with(request: Request, done: Done, redactor: Redactor) -> Request:
    """Return the request with the redacted body, and everything that was parsed from the old one updated."""
    if isinstance(request, ChatRequest):
        fields = msgspec.json.decode(done.raw, type=ChatFields)
        return msgspec.structs.replace(request, fields=fields, raw=done.raw, origin=None)
    text = tuple([redactor.redact_text(part, done.vault) for part in request.text])
    user = None if request.user is None else redactor.redact_text(request.user, done.vault)
    raw = Form(request.raw, request.media_type).with_texts(done.raw) if is_form(request.media_type) else done.raw
    return msgspec.structs.replace(request, raw=raw, text=text, user=user)

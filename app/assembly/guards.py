"""Which guards judge calls, by route."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from app.assembly.deps import Deps
from app.assembly.detectors import DetectorKit
from app.config.features.guards import Guards as GuardSettings
from app.config.guards import require_guard
from app.config.schema import Settings
from app.core.guards.checks import Leak, Length, Refusal, Terms, Tools
from app.core.guards.guard import Guard, GuardTools, Policy
from app.core.guards.injection import Injection
from app.core.guards.moderation import Moderation
from app.core.guards.spotlight import Spotlight
from app.core.guards.tripwire import Tripwire
from app.core.per_route import PerRoute
from app.inspection.classifier import Classifier
from app.inspection.hook import HookOptions, HttpHook
from app.stages.guards import Guards, Rule, Rules


def guards(settings: Settings, deps: Deps) -> list[Guards]:
    """Return the stage that lets guards judge, if any route has one."""
    given = settings.guards
    kit = DetectorKit(settings.redaction)
    routes = {
        name: given.model_copy(update={field: value for field, value in route if value is not None})
        for name, route in given.routes.items()
    }
    rules = PerRoute(
        _Workshop(given, kit, deps).rules(),
        {name: _Workshop(merged, kit, deps).rules() for name, merged in routes.items()},
    )
    return [Guards(rules, deps.listener)] if any(rules.all()) else []


class _Workshop:
    """Makes the rules of one route."""

    def __init__(self, given: GuardSettings, kit: DetectorKit, deps: Deps) -> None:
        self._given = given
        self._kit = kit
        self._deps = deps
        self._key = given.key.get_secret_value().encode() or deps.secret

    def rules(self) -> Rules | None:
        given, spotlight = self._given, Spotlight(self._given.spotlight)
        custom = list(self._custom())
        prompts = (*_active(self._of_prompts()), *custom)
        answers = (*_active(self._of_answers()), *custom)
        if not prompts and not answers and spotlight is Spotlight.NONE:
            return None
        blocking = [rule.guard for rule in answers if rule.policy is Policy.BLOCK]
        return Rules(
            prompts=prompts,
            answers=answers,
            sharp=tuple([guard for guard in blocking if isinstance(guard, Terms | Length | Tripwire)]),
            hold=given.streams == "hold",
            spotlight=spotlight,
            tripwire=next((rule.guard for rule in answers if isinstance(rule.guard, Tripwire)), None),
            key=self._key,
        )

    def _of_prompts(self) -> Iterator[Rule]:
        """Yield the guards of prompts, those first that need not ask anybody."""
        given, patterns = self._given, self._kit.patterns
        tools, terms, injection, moderation = given.tools, given.terms, given.injection, given.moderation
        yield Rule(Tools(tools.allow, tools.deny, tools.keys), Policy(tools.policy))
        if terms.prompts and terms.terms:
            yield Rule(Terms(patterns, terms.terms, prompts=True, answers=False), Policy(terms.policy))
        yield Rule(Injection(patterns, injection.threshold, injection.tool_threshold), Policy(injection.policy))
        if injection.classifier.url is not None:
            yield Rule(Classifier(self._classifier(), injection.classifier.threshold), Policy(injection.policy))
        if moderation.prompts and moderation.model is not None:
            yield Rule(self._moderation(moderation.model, prompts=True), Policy(moderation.policy))

    def _of_answers(self) -> Iterator[Rule]:
        """Yield the guards of answers, those first that need not ask anybody."""
        given, patterns = self._given, self._kit.patterns
        tools, terms, moderation = given.tools, given.terms, given.moderation
        yield Rule(Tripwire(self._key), Policy(given.tripwire.policy))
        yield Rule(Tools(tools.allow, tools.deny, tools.keys), Policy(tools.policy))
        yield Rule(Length(given.length.max_chars), Policy(given.length.policy))
        if terms.answers and terms.terms:
            yield Rule(Terms(patterns, terms.terms, prompts=False, answers=True), Policy(terms.policy))
        if given.leak.policy != "none":
            yield Rule(Leak(self._kit.inspector(given.leak.detectors)), Policy(given.leak.policy))
        yield Rule(Refusal(patterns), Policy(given.refusal.policy), given.refusal.retries)
        if given.output_schema.policy != "none":
            library = import_module("app.inspection.json_schema")  # takes a second, which most gateways need not spend
            guard: Guard = library.JsonSchema(given.output_schema.json_schema)
            yield Rule(guard, Policy(given.output_schema.policy), given.output_schema.retries)
        if moderation.answers and moderation.model is not None:
            yield Rule(self._moderation(moderation.model, prompts=False), Policy(moderation.policy))

    def _custom(self) -> Iterator[Rule]:
        for given in self._given.custom:
            if given.policy != "none":
                tools = GuardTools(given.options, self._deps.client, self._deps.clock)
                yield Rule(require_guard(given.name)(tools), Policy(given.policy))

    def _classifier(self) -> HttpHook:
        given = self._given.injection.classifier
        key = [] if given.api_key is None else [("authorization", f"Bearer {given.api_key.get_secret_value()}")]
        options = HookOptions(
            "classifier", given.url or "", given.timeout_s, fail_open=given.fail == "open", headers=tuple(key)
        )
        return HttpHook(options, self._deps.client, self._deps.circuits)

    def _moderation(self, model: str, *, prompts: bool) -> Moderation:
        given = self._given.moderation
        return Moderation(model, given.categories, prompts=prompts, answers=not prompts, fail_open=given.fail == "open")


def _active(rules: Iterator[Rule]) -> Iterator[Rule]:
    return (rule for rule in rules if rule.policy is not Policy.NONE)

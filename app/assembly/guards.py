"""Assemble the guards and the prompt marks of each route."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from app.assembly.deps import Deps
from app.assembly.detectors import DetectorKit
from app.config.features.guards import Guards as GuardSettings
from app.config.plugins import GUARDS
from app.config.schema import Settings
from app.core.guards.checks import Leak, Length, Refusal, Terms, Tools, Tripwire
from app.core.guards.guard import Guard, GuardTools, Policy
from app.core.guards.injection import Injection
from app.core.guards.moderation import Moderation
from app.core.guards.spotlight import Spotlight
from app.core.per_route import PerRoute
from app.inspection.classifier import Classifier
from app.inspection.hook import HookOptions, HttpHook
from app.stages.guards import Guards, Rule, Rules
from app.stages.mark_prompt import MarkPrompt, PromptMarks


def guards(settings: Settings, deps: Deps) -> list[Guards]:
    """Return the stage that runs the guards, if any route has one."""
    kit = DetectorKit(settings.redaction)
    rules = PerRoute(
        _RulesBuilder(settings.guards, kit, deps).rules(),
        {name: _RulesBuilder(merged, kit, deps).rules() for name, merged in _by_route(settings.guards).items()},
    )
    return [Guards(rules, deps.listener)] if any(rules.all()) else []


def mark_prompt(settings: Settings, deps: Deps) -> list[MarkPrompt]:
    """Return the stage that marks prompts, if any route has that enabled."""
    by_route = {name: _marks(merged, deps) for name, merged in _by_route(settings.guards).items()}
    marks = PerRoute(_marks(settings.guards, deps), by_route)
    return [MarkPrompt(marks)] if any(marks.all()) else []


def _by_route(given: GuardSettings) -> dict[str, GuardSettings]:
    """Return the merged settings of routes that override some."""
    return {
        name: given.model_copy(update={field: value for field, value in route if value is not None})
        for name, route in given.routes.items()
    }


def _marks(given: GuardSettings, deps: Deps) -> PromptMarks | None:
    how, key = Spotlight(given.spotlight), _key(given, deps)
    tripwire = None if given.tripwire.policy == "none" else Tripwire(key)
    return None if how is Spotlight.NONE and tripwire is None else PromptMarks(how, tripwire, key)


def _key(given: GuardSettings, deps: Deps) -> bytes:
    return given.key.get_secret_value().encode() or deps.secret


class _RulesBuilder:
    """Builds the rules of one route."""

    def __init__(self, given: GuardSettings, kit: DetectorKit, deps: Deps) -> None:
        self._given = given
        self._kit = kit
        self._deps = deps
        self._key = _key(given, deps)

    def rules(self) -> Rules | None:
        custom = list(self._custom())
        prompts = (*_active(self._of_prompts()), *custom)
        answers = (*_active(self._of_answers()), *custom)
        if not prompts and not answers:
            return None
        blocking = [rule.guard for rule in answers if rule.policy is Policy.BLOCK]
        return Rules(
            prompts=prompts,
            answers=answers,
            sharp=tuple([guard for guard in blocking if isinstance(guard, Terms | Length | Tripwire)]),
            hold=self._given.streams == "hold",
        )

    def _of_prompts(self) -> Iterator[Rule]:
        """Yield the guards of prompts, those without network calls first."""
        given, kit = self._given, self._kit
        tools, terms, injection, moderation = given.tools, given.terms, given.injection, given.moderation
        yield Rule(Tools(tools.allow, tools.deny, tools.keys), Policy(tools.policy))
        if terms.prompts and terms.terms:
            yield Rule(Terms(kit.patterns, terms.terms, prompts=True, answers=False), Policy(terms.policy))
        if injection.policy != "none":
            weighing = Injection(kit.patterns, injection.threshold, injection.tool_threshold)
            yield Rule(weighing, Policy(injection.policy))
        if injection.classifier.url is not None:
            yield Rule(Classifier(self._classifier(), injection.classifier.threshold), Policy(injection.policy))
        if moderation.prompts and moderation.model is not None:
            yield Rule(self._moderation(moderation.model, prompts=True), Policy(moderation.policy))

    def _of_answers(self) -> Iterator[Rule]:
        """Yield the guards of answers, those without network calls first."""
        given, kit = self._given, self._kit
        tools, terms, moderation = given.tools, given.terms, given.moderation
        yield Rule(Tripwire(self._key), Policy(given.tripwire.policy))
        yield Rule(Tools(tools.allow, tools.deny, tools.keys), Policy(tools.policy))
        yield Rule(Length(given.length.max_chars), Policy(given.length.policy))
        if terms.answers and terms.terms:
            yield Rule(Terms(kit.patterns, terms.terms, prompts=False, answers=True), Policy(terms.policy))
        if given.leak.policy != "none":
            yield Rule(Leak(kit.inspector(given.leak.detectors)), Policy(given.leak.policy))
        if given.refusal.policy != "none":
            yield Rule(Refusal(kit.patterns), Policy(given.refusal.policy), given.refusal.retries)
        if given.output_schema.policy != "none":
            library = import_module("app.inspection.json_schema")  # imported lazily: takes a second
            guard: Guard = library.JsonSchema(given.output_schema.json_schema)
            yield Rule(guard, Policy(given.output_schema.policy), given.output_schema.retries)
        if moderation.answers and moderation.model is not None:
            yield Rule(self._moderation(moderation.model, prompts=False), Policy(moderation.policy))

    def _custom(self) -> Iterator[Rule]:
        for given in self._given.custom:
            if given.policy != "none":
                tools = GuardTools(given.options, self._deps.client, self._deps.clock)
                yield Rule(GUARDS.load(given.name)(tools), Policy(given.policy))

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

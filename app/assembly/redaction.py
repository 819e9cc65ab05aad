"""Assemble the redaction of prompts and answers of each route."""

from __future__ import annotations

from collections.abc import Mapping

from app.assembly.deps import Deps
from app.assembly.detectors import DetectorKit
from app.config.features.redaction import Redaction, RedactionAnswer, RedactionRoute
from app.config.schema import Settings
from app.core.per_route import PerRoute
from app.core.redaction.redactor import Action, Redactor
from app.inspection.hook import HookOptions, HttpHook
from app.inspection.presidio import Presidio
from app.stages.redact import Redact, Rules


def redact(settings: Settings, deps: Deps) -> list[Redact]:
    """Return the redaction stage, if any route has that enabled."""
    rules = redaction_rules(settings, deps)
    return [] if rules is None else [Redact(rules, deps.listener)]


def redaction_rules(settings: Settings, deps: Deps) -> PerRoute[Rules | None] | None:
    """Return the rules of each route; None if no route redacts."""
    given = settings.redaction
    builder = _RulesBuilder(given, deps)
    rules = PerRoute(
        builder.rules(RedactionRoute()), {name: builder.rules(route) for name, route in given.routes.items()}
    )
    return rules if any(rules.all()) else None


class _RulesBuilder:
    """Builds the rules of routes, which share detectors and key."""

    def __init__(self, given: Redaction, deps: Deps) -> None:
        self._given = given
        self._deps = deps
        self._kit = DetectorKit(given)
        self._hash_key = given.hash_key.get_secret_value().encode() or deps.secret

    def rules(self, route: RedactionRoute) -> Rules | None:
        given = self._given
        enabled = given.enabled if route.enabled is None else route.enabled
        answer = given.output if route.output is None else route.output
        if not enabled and not answer.enabled:
            return None
        detectors = given.detectors if route.detectors is None else route.detectors
        return Rules(
            prompt=self._prompt(route, detectors) if enabled else None,
            answer=self._answer(answer, detectors) if answer.enabled else None,
            window_chars=given.streaming_window_chars,
            outside=self._presidio() if enabled else None,
        )

    def _prompt(self, route: RedactionRoute, detectors: tuple[str, ...]) -> Redactor:
        given = self._given
        actions = given.actions if route.actions is None else route.actions
        entities = [entity.lower() for entity in given.presidio.entities] if given.presidio.url else []
        return self._redactor(detectors, route.action or given.action, actions, entities)

    def _answer(self, answer: RedactionAnswer, detectors: tuple[str, ...]) -> Redactor:
        return self._redactor(answer.detectors or detectors, answer.action, answer.actions, [])

    def _redactor(
        self, detectors: tuple[str, ...], action: str, actions: Mapping[str, str], entities: list[str]
    ) -> Redactor:
        names = [*detectors, *[pattern.name for pattern in self._given.patterns], *entities]
        chosen = {name: Action(actions.get(name, action)) for name in names}
        return Redactor(self._kit.inspector(detectors), chosen, self._hash_key)

    def _presidio(self) -> Presidio | None:
        given = self._given.presidio
        if given.url is None:
            return None
        options = HookOptions("presidio", f"{given.url}/analyze", given.timeout_s, fail_open=given.fail == "open")
        hook = HttpHook(options, self._deps.client, self._deps.circuits)
        return Presidio(hook, given.entities, given.language, given.least_score)

"""Settings of redaction and guards: what is accepted, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import loaded, problem

HEAD = "providers: {sim: {kind: sim}}\nmodels: {fast: {targets: [{provider: sim, model: echo}]}}\n"


@pytest.mark.parametrize(
    ("text", "path", "expected", "suggestion"),
    [
        (
            "redaction: {actions: {emial: mask}}",
            "redaction.actions.emial",
            "something that is looked for (email, phone,",
            "did you mean email?",
        ),
        ("redaction: {output: {actions: {x: mask}}}", "redaction.output.actions.x", "something that is", "remove it"),
        (
            "redaction: {output: {action: tokenize}}",
            "redaction.output.action",
            "one of mask, hash, block",
            "correct it",
        ),
        ("redaction: {detectors: [emial]}", "redaction.detectors[0]", "one of email, phone", "did you mean email?"),
        (
            "redaction: {patterns: [{name: ticket, pattern: '('}]}",
            "redaction.patterns[0].pattern",
            "a regular expression that RE2 takes: missing ): (",
            "RE2 has neither looks",
        ),
        (
            "redaction: {patterns: [{name: ticket, pattern: '(?=x)'}]}",
            "redaction.patterns[0].pattern",
            "a regular expression that RE2 takes",
            "RE2 has neither looks",
        ),
        (
            "redaction: {patterns: [{name: ticket, pattern: 'x*'}]}",
            "redaction.patterns[0].pattern",
            "a regular expression that does not match the empty text",
            "let it ask for",
        ),
        (
            "redaction: {patterns: [{name: email, pattern: x}]}",
            "redaction.patterns[0].name",
            "a name that nothing else has",
            "choose another name",
        ),
        (
            "redaction: {patterns: [{name: a, pattern: x}, {name: a, pattern: y}]}",
            "redaction.patterns[1].name",
            "a name that nothing else has",
            "choose another name",
        ),
        ("redaction: {phone_regions: [us]}", "redaction.phone_regions[0]", "a country as two capitals", "correct it"),
        ("redaction: {routes: {fats: {action: mask}}}", "redaction.routes.fats", "a route (fast), or", "mean fast?"),
        (
            "redaction: {routes: {fast: {actions: {x: mask}}}}",
            "redaction.routes.fast.actions.x",
            "something that is looked for",
            "remove it",
        ),
        (
            "redaction: {routes: {fast: {output: {actions: {x: mask}}}}}",
            "redaction.routes.fast.output.actions.x",
            "something that is looked for",
            "remove it",
        ),
        (
            "redaction: {streaming_window_chars: 2}",
            "redaction.streaming_window_chars",
            "a whole number >= 16",
            "correct",
        ),
        (
            "guards: {injection: {policy: deny}}",
            "guards.injection.policy",
            "one of none, observe, flag, block",
            "correct",
        ),
        ("guards: {terms: {policy: block}}", "guards.terms.terms", "at least one word or phrase", "list what"),
        ("guards: {terms: {terms: [' x']}}", "guards.terms.terms[0]", "a word or a phrase", "correct it"),
        (
            "guards: {moderation: {policy: block}}",
            "guards.moderation.model",
            "a route (fast), or",
            "name the moderation",
        ),
        (
            "guards: {moderation: {policy: block, model: fats}}",
            "guards.moderation.model",
            "a route (fast), or provider/model",
            "did you mean fast?",
        ),
        ("guards: {custom: [{name: mine}]}", "guards.custom[0].name", "an installed guard", "install the package"),
        ("guards: {routes: {fats: {spotlight: mark}}}", "guards.routes.fats", "a route (fast), or", "mean fast?"),
        (
            "guards: {routes: {fast: {terms: {policy: block}}}}",
            "guards.routes.fast.terms.terms",
            "at least one word",
            "list what",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, path: str, expected: str, suggestion: str) -> None:
    """One mistake gives one problem, with its place, what should stand there, and the way out."""
    found = problem(tmp_path, HEAD + text)

    assert found.path == path
    assert found.expected.startswith(expected)
    assert suggestion in found.suggestion


def test_what_is_accepted(tmp_path: Path) -> None:
    """Actions may speak of detectors, patterns and entities; routes may be addressed as provider/model."""
    settings = loaded(
        tmp_path,
        HEAD
        + """
redaction:
  enabled: true
  detectors: [email, national_id, date_of_birth]
  patterns: [{name: ticket, pattern: "TCK-[0-9]+"}]
  actions: {email: mask, ticket: hash, person: block}
  presidio: {url: "http://127.0.0.1:5002", entities: [PERSON]}
  routes: {sim/echo: {enabled: false}, fast: {output: {enabled: true, actions: {ticket: report}}}}
guards:
  moderation: {policy: block, model: sim/echo}
  terms: {policy: flag, terms: ["Project Falcon"]}
  routes: {fast: {injection: {policy: none}}}
""",
    ).settings

    assert settings.redaction.actions == {"email": "mask", "ticket": "hash", "person": "block"}
    assert settings.guards.routes["fast"].injection is not None
    assert settings.guards.routes["fast"].terms is None


def test_presidios_entities_are_known_only_where_it_is_asked(tmp_path: Path) -> None:
    """An action for what nobody looks for is a mistake."""
    found = problem(tmp_path, HEAD + "redaction: {actions: {person: mask}}")

    assert found.path == "redaction.actions.person"

"""The error table: closed and complete."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from app.config.schema import Settings
from app.core import errors
from app.core.errors import KINDS, TARGET_FAILED, Again, Blame, Category, GatewayError, Kind, Trigger

CONTRACT_CATEGORIES = {
    *("configuration", "authentication", "permission", "network", "timeout", "rate_limit", "budget"),
    *("circuit_breaker", "validation", "parse", "session", "cache", "stream", "overloaded", "upstream", "internal"),
}
# Those of the contract, the two of HTTP itself (method, media type), and 499, which only logs and metrics see.
STATUSES = {400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504} | {405, 415} | {421, 431} | {499}
OPENAI_TYPES = {
    *("invalid_request_error", "authentication_error", "permission_error", "rate_limit_error"),
    *("insufficient_quota", "api_error", "overloaded_error", "timeout_error"),
}

every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.code for kind in KINDS])


def test_a_code_stands_once() -> None:
    """No two rows have the same code."""
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_names_tell_the_codes() -> None:
    """A kind's constant is called like its code, so that one can be found from the other."""
    named = {name: value.code for name, value in vars(errors).items() if isinstance(value, Kind)}

    assert named == {code.upper(): code for code in named.values()}


def test_every_category_of_the_contract_has_a_row() -> None:
    """The categories are the contract's sixteen, and none of them is an empty promise."""
    assert set(get_args(Category)) == CONTRACT_CATEGORIES
    assert {kind.category for kind in KINDS} == CONTRACT_CATEGORIES


def test_every_trigger_has_a_row() -> None:
    """No trigger that can be configured is without an effect."""
    assert {kind.trigger for kind in KINDS} - {None} == set(get_args(Trigger))


def test_no_row_forgets_to_decide() -> None:
    """Whether a failure is tried again, and whom it blames, has no default."""
    undecided = {"code": "new", "status": 500, "type": "api_error", "category": "internal", "suggestion": "Wait."}

    with pytest.raises(TypeError, match="again"):
        Kind(**undecided, blame=Blame.TARGET, retryable=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="retryable"):
        Kind(**undecided, blame=Blame.TARGET, again=Again.HERE)  # type: ignore[arg-type]


@every_kind
def test_each_row_is_fit_to_be_shown(kind: Kind) -> None:
    """A row has an SDK-friendly status and type, a code in snake case, and advice in whole sentences."""
    assert kind.status in STATUSES
    assert kind.type in OPENAI_TYPES
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert re.fullmatch(r"[A-Z].{20,}\.", kind.suggestion)


@every_kind
def test_each_rule_of_retrying_is_consistent(kind: Kind) -> None:
    """What the gateway tries again at the same place is a target's fault and may succeed later."""
    if kind.again is Again.HERE:
        assert kind.blame is Blame.TARGET
        assert kind.retryable
    if kind.blame is Blame.CALLER:
        assert not kind.retryable or kind.status in {408, 429}


@every_kind
def test_advice_names_settings_that_exist(kind: Kind) -> None:
    """A setting that a suggestion quotes can be found in the configuration."""
    for section, field in re.findall(r"'([a-z_]+)\.([a-z_]+)'", kind.suggestion):
        model = Settings.model_fields[section].annotation
        assert model is not None
        assert field in model.model_fields


def test_an_error_says_what_its_row_says() -> None:
    """Without better advice an error carries its row's, and no other detail."""
    error = GatewayError(TARGET_FAILED, "The provider failed.")

    assert str(error) == error.message == "The provider failed."
    assert error.suggestion == TARGET_FAILED.suggestion
    assert (error.param, error.retry_after_s, error.provider, error.from_upstream) == (None, None, None, False)


def test_an_error_may_know_better_than_its_row() -> None:
    """Param, waiting time and advice of one failure replace what the row has."""
    error = GatewayError(TARGET_FAILED, "No.", param="messages[0].role", retry_after_s=2.5, suggestion="Wait.")

    assert (error.param, error.retry_after_s, error.suggestion) == ("messages[0].role", 2.5, "Wait.")


def test_an_error_can_be_the_providers_own_words() -> None:
    """What the provider answered has upstream as its source; what the gateway noticed there has not."""
    told = GatewayError(TARGET_FAILED, "It says no.")
    noticed = GatewayError(TARGET_FAILED, "It says nothing.")

    assert told.answered_by("acme") is told
    assert noticed.at("acme") is noticed
    assert (told.provider, told.from_upstream) == ("acme", True)
    assert (noticed.provider, noticed.from_upstream) == ("acme", False)

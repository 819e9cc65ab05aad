"""Models are listed as the client that asks expects them."""

from __future__ import annotations

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.support.node import Node
from tests.support.gateway import GatewayProcess


def test_anthropics_client_lists_models(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    """Both clients find the same models, each in its own form."""
    listed = list(claude.models.list())

    assert [model.id for model in listed] == [model.id for model in gpt.models.list()]
    assert {"sim/echo", "moves-on"} <= {model.id for model in listed}
    assert {(model.type, model.display_name == model.id) for model in listed} == {("model", True)}
    assert listed[0].created_at.year >= 2026


def test_anthropics_client_finds_a_model(claude: anthropic.Anthropic) -> None:
    """One model is described, and an unknown one is none."""
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("nothing-like-this")

    assert claude.models.retrieve("sim/echo").id == "sim/echo"


def test_list_is_one_page(plain: httpx2.Client) -> None:
    """Whoever turns pages finds the last one."""
    told = plain.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()

    assert (told["first_id"], told["last_id"]) == (told["data"][0]["id"], told["data"][-1]["id"])
    assert told["has_more"] is False


def test_node_lists_models(node: Node, polyglot: GatewayProcess) -> None:
    """Anthropic's SDK for Node finds them, too."""
    told = node.scenario("anthropic.mjs", polyglot.url, "models", "sim/echo")

    assert {"id": "moves-on", "name": "moves-on"} in told["listed"]
    assert told["retrieved"] == "sim/echo"

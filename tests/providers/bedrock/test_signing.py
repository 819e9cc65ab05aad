"""Requests signed for AWS: as botocore's own client signs them, and with keys that are looked for in time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.core.ports import HttpRequest
from app.providers.bedrock.signing import AwsSigner, aws_keys


class SetClock:
    """A clock that tests move by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        """Return the time that was set."""
        return self.at

    def wall(self) -> float:
        """Return the same."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.at += seconds


@pytest.fixture
def clock() -> SetClock:
    """Return a clock."""
    return SetClock()


KEYS = aws_keys("AKIDEXAMPLE", "wJalrXUtnFEMI", "token")
REQUEST = HttpRequest(
    "POST",
    "https://bedrock-runtime.eu-central-1.amazonaws.com/model/a%3Ab/converse",
    (("content-type", "application/json"), ("user-agent", "wizard/0"), ("traceparent", "00-1-2-01")),
    b'{"messages":[]}',
    5.0,
)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Leave AWS's tools no place where they could find keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return monkeypatch


async def test_signs_as_botocore_does(clock: SetClock) -> None:
    """The signature is the one that AWS's own signer makes, over what nobody on the way changes."""
    signed = await AwsSigner("eu-central-1", KEYS, clock).sign(REQUEST)

    headers = dict(signed.headers)
    theirs = AWSRequest("POST", REQUEST.url, {"content-type": "application/json"}, REQUEST.body)
    theirs.context["timestamp"] = headers["x-amz-date"]
    SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "token"), "bedrock", "eu-central-1").add_auth(theirs)
    assert signed.headers[: len(REQUEST.headers)] == REQUEST.headers
    assert headers["x-amz-security-token"] == "token"
    if theirs.headers["X-Amz-Date"] == headers["x-amz-date"]:  # unless the second has just changed
        assert headers["authorization"] == theirs.headers["Authorization"]
    assert re.search("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token", headers["authorization"])


async def test_the_body_is_signed(clock: SetClock) -> None:
    """Another body has another signature."""
    signer = AwsSigner("eu-central-1", KEYS, clock)
    other = HttpRequest(REQUEST.method, REQUEST.url, REQUEST.headers, b"{}", 5.0)

    one, two = await signer.sign(REQUEST), await signer.sign(other)

    assert dict(one.headers)["authorization"] != dict(two.headers)["authorization"]


async def test_keys_are_found_where_awss_tools_find_them(nowhere: pytest.MonkeyPatch, clock: SetClock) -> None:
    """Without configured keys the usual chain is asked."""
    nowhere.setenv("AWS_ACCESS_KEY_ID", "AKIDFOUND")
    nowhere.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    signed = await AwsSigner("eu-central-1", None, clock).sign(REQUEST)

    assert "Credential=AKIDFOUND/" in dict(signed.headers)["authorization"]


@pytest.mark.usefixtures("nowhere")
async def test_no_keys_are_the_operators_mistake(clock: SetClock) -> None:
    """Where there are no keys at all, the operator has something to correct."""
    with pytest.raises(GatewayError) as caught:
        await AwsSigner("eu-central-1", None, clock).sign(REQUEST)

    assert caught.value.kind is TARGET_MISCONFIGURED


async def test_a_profile_that_is_not_there_is_too(nowhere: pytest.MonkeyPatch, clock: SetClock) -> None:
    """What botocore says of a broken set-up becomes the gateway's own words."""
    nowhere.setenv("AWS_PROFILE", "missing")

    with pytest.raises(GatewayError) as caught:
        await AwsSigner("eu-central-1", None, clock).sign(REQUEST)

    assert caught.value.kind is TARGET_MISCONFIGURED


def test_half_a_key_is_none() -> None:
    """Only an id with its secret is a key."""
    assert aws_keys("a", None, None) is None
    assert aws_keys(None, "b", None) is None
    keys = aws_keys("a", "b", "c")
    assert keys is not None
    assert keys.get_frozen_credentials() == ("a", "b", "c", None)


async def test_keys_are_looked_for_again(nowhere: pytest.MonkeyPatch, clock: SetClock) -> None:
    """Keys may change while the gateway runs, and nobody waits for that with each request."""
    nowhere.setenv("AWS_ACCESS_KEY_ID", "AKIDFOUND")
    nowhere.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    signer = AwsSigner("eu-central-1", None, clock)

    for _ in range(2):
        await signer.sign(REQUEST)
        await clock.sleep(61)
    signed = await signer.sign(REQUEST)

    assert "Credential=AKIDFOUND/" in dict(signed.headers)["authorization"]

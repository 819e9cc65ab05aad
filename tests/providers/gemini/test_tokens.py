"""Google Cloud's access tokens: fetched once, kept while they serve, and an operator's matter where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.core.ports import HttpRequest
from app.providers.gemini.tokens import GoogleSigner
from tests.support.upstream_server import UpstreamServer, always, whole

REQUEST = HttpRequest("POST", "https://europe-west1-aiplatform.googleapis.com/v1/x", (("a", "b"),), b"{}", 5.0)


@pytest.fixture(scope="module")
def private_key() -> str:
    """Return a fresh private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def key_file(folder: Path, private_key: str, token_uri: str) -> str:
    """Write the key of a service account whose tokens come from `token_uri`."""
    path = folder / "key.json"
    account = {
        "type": "service_account",
        "client_email": "wizard@example.iam.gserviceaccount.com",
        "token_uri": token_uri,
        "private_key": private_key,
    }
    path.write_text(json.dumps(account), encoding="utf-8")
    return str(path)


async def test_a_token_is_fetched_once(tmp_path: Path, private_key: str) -> None:
    """Two requests have the same token, and only the first one waited for it."""
    token = b'{"access_token":"ya29.token","expires_in":3600,"token_type":"Bearer"}'
    async with UpstreamServer(always(whole(token))) as google:
        signer = GoogleSigner(key_file(tmp_path, private_key, f"{google.url}/token"))

        one, two = await signer.sign(REQUEST), await signer.sign(REQUEST)

    assert one.headers == two.headers == (("a", "b"), ("authorization", "Bearer ya29.token"))
    assert len(google.requests) == 1


async def test_a_refused_key_is_the_operators_mistake(tmp_path: Path, private_key: str) -> None:
    """What Google refuses is told without its words."""
    async with UpstreamServer(always(whole(b'{"error":"invalid_grant CANARY"}', status=400))) as google:
        signer = GoogleSigner(key_file(tmp_path, private_key, f"{google.url}/token"))

        with pytest.raises(GatewayError) as caught:
            await signer.sign(REQUEST)

    assert caught.value.kind is TARGET_MISCONFIGURED
    assert "CANARY" not in caught.value.message


@pytest.mark.parametrize("text", [None, "{}", "no JSON"])
async def test_a_key_file_must_be_one(tmp_path: Path, text: str | None) -> None:
    """A file that is missing or holds something else is the operator's mistake as well."""
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(GatewayError) as caught:
        await GoogleSigner(str(path)).sign(REQUEST)

    assert caught.value.kind is TARGET_MISCONFIGURED


async def test_the_usual_places_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_key: str
) -> None:
    """Without a configured file the application default credentials are taken."""
    async with UpstreamServer(always(whole(b'{"access_token":"adc","expires_in":3600}'))) as google:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key_file(tmp_path, private_key, f"{google.url}/token"))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")

        signed = await GoogleSigner(None).sign(REQUEST)

    assert signed.headers[-1] == ("authorization", "Bearer adc")

"""What is particular about the httpx2 adapter; `contract` holds what every adapter must do."""

from __future__ import annotations

import pytest

from app.core.errors import GatewayError
from app.core.ports import HttpRequest
from app.providers.client import HttpxClient
from app.providers.special_clients import Way, Ways
from tests.providers.contract.adapters import call, closed_port, request
from tests.support.upstream_server import UpstreamServer, always, whole


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_ignores_proxies_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where requests go is configuration; a proxy that happens to be in the environment is not asked."""
    with closed_port() as proxy:
        monkeypatch.setenv(name, proxy)
        client = HttpxClient()
        async with UpstreamServer(always(whole(b"{}"))) as server:
            assert await call(client, request(server)) == (200, b"{}")
        await client.aclose()


async def test_ignores_the_password_file(
    client: HttpxClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Credentials come from the configuration; a .netrc is not looked into."""
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))

    async with UpstreamServer(always(whole(b"{}"))) as server:
        await call(client, request(server))

        assert server.requests[0].header("authorization") is None


@pytest.mark.parametrize("value", ["\xe9", "\xff", "日本", "a\x00b", "a\r\nx-smuggled: 1", "a\nb", " a", "a\t"])
async def test_no_header_value_gets_out_of_hand(client: HttpxClient, value: str) -> None:
    """A header that a caller filled with odd characters is sent as one header, or the call fails as a gateway error."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        asked = HttpRequest("POST", server.url + "/v1/x", (("openai-beta", value),), b"{}", 5.0)
        try:
            await call(client, asked)
        except GatewayError:
            assert server.requests == []
        else:
            assert server.requests[0].header("x-smuggled") is None
            assert server.requests[0].header("openai-beta") is not None


async def test_goes_through_the_proxy_it_was_given() -> None:
    """With a proxy, the request is sent there, for the address of the provider."""
    clients = Ways()
    async with UpstreamServer(always(whole(b"{}"))) as proxy:
        way = Way(proxy=proxy.url)
        asked = HttpRequest("POST", "http://provider.invalid/v1/x", (), b"{}", 5.0)

        answer = await call(clients.along(way), asked)
        again = clients.along(way) is clients.along(Way(proxy=proxy.url))
        await clients.aclose()

        assert (answer, again) == ((200, b"{}"), True)
        assert (proxy.requests[0].method, proxy.requests[0].target) == ("POST", "http://provider.invalid/v1/x")

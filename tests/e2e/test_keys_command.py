"""`wizard keys` with a gateway that keeps them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import msgspec
import pytest

from tests.e2e.support.asking import ADMIN_TOKEN, bearer, chat, code
from tests.support.gateway import LIMIT_S, GatewayProcess, Start, clean_environment, running, wizard

CONFIG = {"auth": {"required": True}, "providers": {"sim": {"kind": "sim"}}, "admin": {"token": ADMIN_TOKEN}}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway."""
    with running(Start(CONFIG)) as process:
        yield process


def keys(gateway: GatewayProcess, *arguments: str, token: str = ADMIN_TOKEN) -> subprocess.CompletedProcess[str]:
    """Run the command against the gateway, in the gateway's own folder."""
    command = wizard("keys", *arguments, "--url", gateway.url)
    variables = clean_environment({"WIZARD_ADMIN_TOKEN": token})
    return subprocess.run(
        command, env=variables, cwd=gateway.folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_the_life_of_a_key(gateway: GatewayProcess) -> None:
    """It is made, listed, rotated and revoked."""
    made = keys(gateway, "new", "--name", "ci", "--models", "sim/*", "--expires", "1d")
    key_id, secret = (re.search(rf"^{word} +(\S+)$", made.stdout, re.MULTILINE)[1] for word in ("id", "key"))  # type: ignore[index] # it matches
    works = code(chat(gateway, bearer(secret)))
    listed = keys(gateway, "list").stdout
    rotated = msgspec.json.decode(keys(gateway, "rotate", key_id, "--overlap", "0s", "--json").stdout)
    after = [code(chat(gateway, bearer(each))) for each in (secret, rotated["key"])]
    revoked = keys(gateway, "revoke", key_id)
    ended = code(chat(gateway, bearer(rotated["key"])))

    assert (works, after, ended) == ("ok", ["unauthorized", "ok"], "unauthorized")
    assert "memory" in made.stdout
    assert re.search(rf"^{key_id} +ci +active +memory +- +sim/\* +2", listed, re.MULTILINE)
    assert secret not in listed
    assert "is revoked" in revoked.stdout
    assert msgspec.json.decode(keys(gateway, "list", "--json").stdout)["keys"][-1]["status"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("list",), "wrong", "The administration needs its token."),
        (("revoke", "nobody"), ADMIN_TOKEN, "There is no key 'nobody'. GET /admin/keys lists the keys."),
    ],
)
def test_what_the_gateway_refuses(gateway: GatewayProcess, arguments: tuple[str, ...], token: str, said: str) -> None:
    """It is told as the gateway tells it."""
    ended = keys(gateway, *arguments, token=token)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in " ".join(ended.stderr.split())


def test_a_gateway_without_administration() -> None:
    """What to do about it is said."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as gateway:
        ended = keys(gateway, "list")

        assert (ended.returncode, "set admin.token" in ended.stderr) == (1, True)

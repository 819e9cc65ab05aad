"""The page at `/`: there, self-contained, and forbidden to load or do anything else."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx2


def test_the_page_is_served(http: httpx2.Client) -> None:
    """It is HTML that names nothing outside of the gateway."""
    answer = http.get("/")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Playground" in answer.text
    assert not re.search(r"(https?:)?//[a-z]", answer.text)
    assert http.head("/").status_code == 200


def test_the_page_may_do_nothing_but_what_is_written_in_it(http: httpx2.Client) -> None:
    """Its policy allows exactly its own script and style, and no frame around it."""
    answer = http.get("/")
    policy = answer.headers["content-security-policy"]

    for kind in ("script", "style"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"<[^>]+\son[a-z]+=", answer.text), "inline handlers would be blocked"


def test_every_name_that_the_page_reads_is_there(http: httpx2.Client) -> None:
    """Each element that the script looks for exists, and each address that it asks for is served."""
    text = http.get("/").text
    wanted = set(re.findall(r'\bat\("([a-z]+)"\)', text))
    addresses = set(re.findall(r'fetch\("(/[a-z0-9/]+)"', text))

    assert wanted <= set(re.findall(r'id="([a-z]+)"', text))
    assert addresses >= {"/readyz", "/v1/models", "/v1/generate"}
    assert all(http.get(address).status_code in {200, 404, 405} for address in addresses)

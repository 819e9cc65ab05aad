"""
What schemathesis is told of this API besides its description; it loads this module by its name (SCHEMATHESIS_HOOKS).

Names made up by a generator exist nowhere, and everything would end at a 404: they are exchanged for names that do.
"""

from __future__ import annotations

import os
from typing import Any, Final

import httpx2
import schemathesis

_NAMES: Final = {"provider": "sim", "target": "sim/echo", "model_id": "sim/echo"}
_http = httpx2.Client(
    base_url=os.environ["GATEWAY_URL"],
    headers={"authorization": f"Bearer {os.environ['GATEWAY_TOKEN']}"},
    trust_env=False,
)  # of this process, which belongs to schemathesis


@schemathesis.hook
def map_body(_context: schemathesis.HookContext, body: Any) -> Any:  # noqa: ANN401 - JSON
    """Ask a model that there is."""
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        return {**body, "model": "sim/echo"}
    return body


@schemathesis.hook
def map_path_parameters(_context: schemathesis.HookContext, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Name what there is; sessions and keys are begun for each case, as it may end them."""
    found = {name: _NAMES.get(name, value) for name, value in (path_parameters or {}).items()}
    if "session_id" in found:
        found["session_id"] = _http.post("/v1/sessions", json={}).json()["id"]
    if "key_id" in found:
        found["key_id"] = _http.post("/admin/keys", json={}).json()["id"]
    return found

"""The text that `wizard serve` prints when it is ready: addresses, models, and a working example command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from app import __version__
from app.config.load import Loaded
from app.config.schema import Settings
from app.core.routing.wildcards import STAR
from app.providers.local.wheels import LOCAL_MODELS

_SHOWN_MAX = 8


def banner(loaded: Loaded, urls: Sequence[str], local_missing: str | None) -> str:
    """
    Return the text.

    Args:
        loaded: The configuration in use.

        urls: The address for calls, and that of the admin API if it has a port of its own.

        local_missing: Why the built-in model is not available, or None.
    """
    settings, (address, *operated) = loaded.settings, urls
    lines = [
        "",
        f"  Wizard {__version__} is listening on {address}",
        "",
        f"  config  {loaded.source}",
        f"  models  {', '.join(_models(settings))}",
    ]
    if local_missing is not None:
        lines.append(f"          (no built-in model: {local_missing})")
    lines += [f"  admin   {url}/admin" for url in operated]
    lines += [
        f"  docs    {address}/docs",
        "",
        "  Try it:",
        "",
        f"  curl {address}/v1/chat/completions -H 'content-type: application/json' \\",
        *(["    -H 'authorization: Bearer YOUR_KEY' \\"] if settings.auth.required else []),
        f"    -d {_body(_example(settings))}",
        "",
    ]
    return "\n".join(lines)


def _names(settings: Settings) -> list[str]:
    """Return what can be called: routes, known models, and `name/*` for providers without known models."""
    names = list(settings.models)
    for name, provider in settings.providers.items():
        names += [f"{name}/{model}" for model in known_models(provider.kind, provider.models)] or [f"{name}/*"]
    return names


def _models(settings: Settings) -> list[str]:
    names = _names(settings)
    if len(names) > _SHOWN_MAX:
        return [*names[:_SHOWN_MAX], f"and {len(names) - _SHOWN_MAX} more"]
    return names or ["none: configure a provider"]


def _example(settings: Settings) -> str:
    """Return the model of the example: the first route, else the built-in model, `sim`, or any known model."""
    route = next((name for name in settings.models if STAR not in name), None)
    if route is not None:
        return route
    kinds = {provider.kind: name for name, provider in settings.providers.items()}
    if "local" in kinds:
        return f"{kinds['local']}/{LOCAL_MODELS[0]}"
    if "sim" in kinds:
        return f"{kinds['sim']}/echo"
    return next((name for name in _names(settings) if not name.endswith("*")), "provider/model")


def _body(model: str) -> str:
    """Return a request body, quoted for the shell."""
    messages = [{"role": "user", "content": "Say hello."}]
    return shlex.quote(msgspec.json.encode({"model": model, "messages": messages}).decode())


def known_models(kind: str, models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the known models of a provider: those in its settings, else the fixed ones of its kind."""
    return models or (LOCAL_MODELS if kind == "local" else ("echo",) if kind == "sim" else ())

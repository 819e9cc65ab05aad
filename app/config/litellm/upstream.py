"""Convert the part of `litellm_params` about the server: address, credentials, and organization."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from app.config.litellm.mappings import Given, filled
from app.config.litellm.naming import Named
from app.config.trees import Tree

_NO_KEYS: Final = frozenset({"none", "null", "empty", "not-needed"})
_LITERAL: Final = "the key stands in the file as it did in LiteLLM's; move it to a variable or to api_key_file"
_KEYLESS: Final = frozenset({"bedrock", "vertex"})  # clouds that authenticate without an API key


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider of this gateway, compared by value. Field names are those of the settings."""

    kind: str
    base_url: str | None = None
    region: str | None = None
    project: str | None = None
    api_version: str | None = None
    api_key: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    credentials_file: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    api: str | None = None
    unsupported: str | None = None

    def settings(self) -> Tree:
        """Return the fields that are set, as settings."""
        settings: Tree = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                settings[field.name] = dict(value) if field.name == "headers" else value
        return settings


def upstreams(params: Given, named: Named, unsupported: str | None) -> tuple[Upstream, ...]:
    """
    Convert the settings of the server in `params`: one provider, or one for each of several organizations.

    Args:
        params: One `litellm_params`.

        named: The provider and model.

        unsupported: How unsupported parameters are handled, unless the deployment sets `drop_params`.
    """
    drops = params.flag("drop_params")
    one = Upstream(
        kind=named.known.kind,
        base_url=_address(params, named),
        api_version=params.text("api_version"),
        api_key=_key(params, named),
        aws_access_key_id=params.text("aws_access_key_id", ""),
        aws_secret_access_key=params.text("aws_secret_access_key", ""),
        aws_session_token=params.text("aws_session_token", ""),
        headers=_headers(params),
        api="responses" if named.responses else None,
        unsupported=unsupported if drops is None else "drop" if drops else "error",
    )
    one = _placed(params, named, one)
    organizations = [filled(str(each)) for each in params.several("organization")]
    if not organizations:
        return (one,)
    return tuple(replace(one, headers=(*one.headers, ("openai-organization", each))) for each in organizations)


def _address(params: Given, named: Named) -> str | None:
    base, other = params.text("api_base"), params.text("base_url")  # both are read, or one would count as unknown
    address = base or other
    if address is not None:
        return address.rstrip("/")
    return None if named.known.base is None else f"${{{named.known.base}}}"


def _key(params: Given, named: Named) -> str | None:
    """Return the key, else the variable that LiteLLM reads; but never OpenAI's key for another server."""
    key = params.text("api_key", "")
    if key is not None:
        if not key.startswith("${"):
            if key.lower() in _NO_KEYS:
                return None
            params.note("api_key", _LITERAL)
        return key
    elsewhere = named.known.kind == "openai" and (params.had("api_base") or params.had("base_url"))
    if named.known.key is None or elsewhere:
        return None
    return f"${{{named.known.key}:-}}"


def _headers(params: Given) -> tuple[tuple[str, str], ...]:
    headers: dict[str, str] = {}
    for name in ("headers", "extra_headers", "default_headers"):
        value = params.take(name)
        if isinstance(value, dict):
            headers |= {str(key).lower(): filled(str(text)) for key, text in value.items()}
    return tuple(headers.items())


def _placed(params: Given, named: Named, one: Upstream) -> Upstream:
    """Fill in the settings of cloud providers, with LiteLLM's defaults."""
    region = params.text("aws_region_name") or params.text("aws_region")
    location, project = params.text("vertex_location"), params.text("vertex_project")
    credentials = params.text("vertex_credentials")
    if one.kind in _KEYLESS and not one.api_key:
        params.note("model", f"kind {one.kind} needs the extra: pip install 'wizard-gateway[{one.kind}]'")
    if one.kind == "bedrock":
        return replace(one, region=named.region or region or "${AWS_REGION_NAME:-us-west-2}")
    if one.kind == "vertex":
        if credentials is not None and credentials.startswith("{"):
            params.note("vertex_credentials", "write the JSON into a file, and its path into credentials_file")
            credentials = None
        return replace(
            one,
            region=location or "${VERTEXAI_LOCATION:-us-central1}",
            project=project or "${VERTEXAI_PROJECT}",
            credentials_file=credentials,
        )
    if one.kind == "azure" and one.api_version is None:
        params.note("api_version", "none is named, so Azure's v1 API is asked; set api_version for an older one")
    if one.kind == "huggingface" and one.base_url is not None:
        return replace(one, kind="tgi", base_url=one.base_url if one.base_url.endswith("/v1") else f"{one.base_url}/v1")
    return one

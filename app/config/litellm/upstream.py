"""What `litellm_params` say about the server behind a model: address, key, and who is billed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from app.config.litellm.mappings import Given, filled
from app.config.litellm.naming import Named
from app.config.trees import Tree

_NO_KEYS: Final = frozenset({"none", "null", "empty", "not-needed"})
_LITERAL: Final = "the key stands in the file as it did in LiteLLM's; move it to a variable or to api_key_file"
_FREE: Final = frozenset({"bedrock", "vertex"})  # whose cloud has other ways to know a caller than by a key


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider as this gateway has it; equal ones are the same. Field names are those of the settings."""

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
        """Return what is set, as the configuration has it."""
        given: Tree = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                given[field.name] = dict(value) if field.name == "headers" else value
        return given


def upstreams(params: Given, named: Named, unsupported: str | None) -> tuple[Upstream, ...]:
    """
    Take what belongs to the server out of `params`: one, or one for each of several organizations.

    Args:
        params: One `litellm_params`.

        named: Whose model it is.

        unsupported: What becomes of parameters of which a deployment says nothing itself.
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
    given = params.text("api_base") or params.text("base_url")
    params.take("base_url")
    if given is not None:
        return given.rstrip("/")
    return None if named.known.base is None else f"${{{named.known.base}}}"


def _key(params: Given, named: Named) -> str | None:
    """Take the key, else the variable where LiteLLM looks; never OpenAI's own key for somebody else's server."""
    given = params.text("api_key", "")
    if given is not None:
        if not given.startswith("${"):
            if given.lower() in _NO_KEYS:
                return None
            params.note("api_key", _LITERAL)
        return given
    elsewhere = named.known.kind == "openai" and (params.had("api_base") or params.had("base_url"))
    if named.known.key is None or elsewhere:
        return None
    return f"${{{named.known.key}:-}}"


def _headers(params: Given) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name in ("headers", "extra_headers", "default_headers"):
        given = params.take(name)
        if isinstance(given, dict):
            found |= {str(key).lower(): filled(str(value)) for key, value in given.items()}
    return tuple(found.items())


def _placed(params: Given, named: Named, one: Upstream) -> Upstream:
    """Fill in what the address of a cloud leaves open, as LiteLLM does where the file says nothing."""
    region = params.text("aws_region_name") or params.text("aws_region")
    location, project = params.text("vertex_location"), params.text("vertex_project")
    credentials = params.text("vertex_credentials")
    if one.kind in _FREE and not one.api_key:
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

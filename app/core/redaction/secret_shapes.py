"""How secrets look: those that begin with a mark of their own, and those that only their surroundings give away."""

from __future__ import annotations

from typing import Final

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """
    Secrets with one beginning.

    `head` and `tail` are patterns in RE2's syntax; `random` says that the whole must look as if it had been drawn at
    random, because the head is also the beginning of ordinary words.
    """

    head: str
    tail: str
    random: bool = False


_WORD: Final = "[A-Za-z0-9]"
_WEB: Final = "[A-Za-z0-9_-]"

# Sources: the providers' own documentation of their keys, and the rules of gitleaks.
SHAPES: Final = (
    Shape("sk-(?:ant-|proj-|or-v1-|svcacct-|admin-|lf-|None-)?", _WEB + "{16,}", random=True),  # OpenAI, Anthropic, …
    Shape("(?:gsk|xai|csk|tgp_v1|fw|fc|tvly|ctx7sk|wz|wzd|wizard)[_-]", _WEB + "{20,}", random=True),  # Groq, xAI, …
    Shape("(?:pplx|nvapi|r8|voyage|jina|pa|apify_api|lsv2_[a-z]{2})[_-]", _WEB + "{28,}", random=True),  # Perplexity, …
    Shape("hf_", _WORD + "{30,}"),  # Hugging Face
    Shape("AIza", _WEB + "{35}"),  # Google
    Shape("GOCSPX-", _WEB + "{20,}"),
    Shape("ya29\\.", _WEB + "{20,}"),
    Shape("A(?:KIA|SIA|BIA|CCA)", "[A-Z0-9]{16}"),  # AWS
    Shape("gh[pousr]_", _WORD + "{30,}"),  # GitHub
    Shape("github_pat_", "[A-Za-z0-9_]{40,}"),
    Shape("glpat-|gldt-|glrt-|glcbt-|glptt-", _WEB + "{20,}"),  # GitLab
    Shape("xox[abeoprs]-|xapp-", "[A-Za-z0-9-]{10,}", random=True),  # Slack
    Shape("https://hooks\\.slack\\.com/(?:services|workflows)/", "[A-Za-z0-9+/]{20,}"),
    Shape("SG\\.", _WEB + "{16,}\\." + _WEB + "{16,}"),  # SendGrid
    Shape("(?:sk|rk|pk)_(?:live|test)_", _WORD + "{16,}"),  # Stripe
    Shape("whsec_", "[A-Za-z0-9+/]{24,}"),
    Shape("sq0(?:csp|atp|idp)-", _WEB + "{22,}"),  # Square
    Shape("npm_", _WORD + "{36}"),
    Shape("pypi-", _WEB + "{50,}"),
    Shape("d(?:op|oo|or)_v1_", "[a-f0-9]{64}"),  # DigitalOcean
    Shape("shp(?:at|ca|pa|ss)_", "[a-fA-F0-9]{32}"),  # Shopify
    Shape("lin_api_|figd_|ntn_|secret_|dckr_pat_|phc_|phx_|sntrys_|sbp_|PMAK-|atlasv1\\.", _WEB + "{24,}", random=True),
    Shape("glsa_|glc_|hvs\\.|hvb\\.|pul-|rubygems_|dapi|EAAC|AGE-SECRET-KEY-1", _WEB + "{24,}", random=True),
    Shape("key-|SK|AC", "[0-9a-f]{32}"),  # Mailgun, Twilio
    Shape("eyJ", _WEB + "{8,}\\.eyJ" + _WEB + "{8,}\\." + _WEB + "*"),  # JSON web tokens
)

# What a secret without a mark of its own is called, where it is given a value.
WORDS_FOR_PASSWORDS: Final = "pass(?:word|wd|phrase|code)|passw|pwd|passwort|kennwort|contraseña|mot de passe"
WORDS_FOR_KEYS: Final = (
    "api[ _-]?(?:key|token|secret)|apikey|(?:access|account|auth|client|encryption|private|secret|shared|signing"
    "|subscription|webhook)[ _-]?(?:access[ _-]?)?(?:key|token|secret)|secret|credentials?|token|SharedAccessSignature"
)

"""What may be known of an operator from the environment, without any configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

TOKEN_VARIABLE: Final = "WIZARD_ADMIN_TOKEN"  # noqa: S105 - its name; the default of admin.token


def operator_token(environ: Mapping[str, str] = os.environ) -> str:
    """Return the administration's token, or nothing."""
    return environ.get(TOKEN_VARIABLE, "")

"""What the command line may know of an operator from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

TOKEN_VARIABLE: Final = "WIZARD_ADMIN_TOKEN"  # noqa: S105 - its name; config.example.yaml fills admin.token from it


def operator_token(environ: Mapping[str, str] = os.environ) -> str:
    """Return the administration's token, or nothing."""
    return environ.get(TOKEN_VARIABLE, "")

"""The built-in detectors that need nothing but the standard library, one file each."""

from __future__ import annotations

from app.core.redaction.detectors.credit_card import CreditCard
from app.core.redaction.detectors.date_of_birth import DateOfBirth
from app.core.redaction.detectors.email import Email
from app.core.redaction.detectors.iban import Iban
from app.core.redaction.detectors.ip import Ip
from app.core.redaction.detectors.national_id import NationalIds
from app.core.redaction.detectors.secrets import Secrets
from app.core.redaction.detectors.ssn import Ssn
from app.core.redaction.finding import Detector, Patterns


def own_detectors(patterns: Patterns) -> tuple[Detector, ...]:
    """Return one of each, in order of precedence: of those with the same finding, the first one names it."""
    return (
        Secrets(patterns),
        Iban(patterns),
        CreditCard(patterns),
        Ssn(patterns),
        NationalIds(patterns),
        Email(),
        Ip(patterns),
        DateOfBirth(patterns),
    )

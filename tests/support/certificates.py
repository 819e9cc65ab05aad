"""TLS settings of servers at `localhost`, by an authority of our own."""

from __future__ import annotations

import ssl

import trustme


def serving_as(authority: trustme.CA, *, demanding: bool = False) -> ssl.SSLContext:
    """Return the TLS settings of a server that is `localhost`; a demanding one wants to know its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    if demanding:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context

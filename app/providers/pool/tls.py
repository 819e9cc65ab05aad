"""Trust: the TLS settings of a pool as OpenSSL takes them."""

from __future__ import annotations

import ssl

from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.providers.pool.options import TlsOptions


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """
    Return a context that verifies certificates and host names and speaks TLS 1.2 or later, HTTP/1.1 inside.

    Raises:
        GatewayError: TARGET_MISCONFIGURED if a file cannot be read or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.certificate_file is not None:
            context.load_cert_chain(options.certificate_file, options.key_file)
    except OSError as error:  # SSLError is one as well
        raise GatewayError(TARGET_MISCONFIGURED, f"The files for TLS cannot be used: {error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context

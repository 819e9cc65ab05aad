"""
Encrypts the entries of a stream with a key derived from its id, which only its client has.

Imported only where streams are shared: the first use of cryptography takes 20 MB.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class StreamSeal:
    """See `app.state.tapes.entries.Seal`: AES-256-GCM, with a random nonce before each piece."""

    def __init__(self, stream_id: str) -> None:
        self.name = _made_from(stream_id, b"name").hex()
        self._cipher = AESGCM(_made_from(stream_id, b"key"))

    def closed(self, data: bytes) -> bytes:
        """Encrypt an entry."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, None)

    def opened(self, sealed: bytes) -> bytes:
        """
        Decrypt an entry.

        Raises:
            ValueError: It was encrypted with another key, or changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except InvalidTag as error:
            raise ValueError("not sealed by this key") from error


def _made_from(stream_id: str, purpose: bytes) -> bytes:
    return hashlib.sha256(b"wizard stream %b\0%b" % (purpose, stream_id.encode("utf-8", "surrogatepass"))).digest()

"""Secrets at rest and on the road: AES-256-GCM, a fresh nonce each, bound to the name they stand under."""

from __future__ import annotations

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import Rejected

_VERSION = "v1"


class Sealer:
    """Seals and opens under one 32-byte key. A secret moved to another `name` does not open."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a sealing key has 32 bytes")
        self._gcm = AESGCM(key)
        self.key_id = hashlib.sha256(b"switchboard key id" + key).hexdigest()[:8]

    def seal(self, name: str, secret: str) -> str:
        """`v1.<key id>.<nonce and ciphertext>`."""
        nonce = os.urandom(12)
        sealed = nonce + self._gcm.encrypt(nonce, secret.encode(), self._bound(name))
        return f"{_VERSION}.{self.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, name: str, sealed: str) -> str:
        """The secret; `Rejected` when it was altered, moved to another name or sealed under another key."""
        try:
            version, key_id, body = sealed.split(".")
            if (version, key_id) != (_VERSION, self.key_id):
                raise Rejected(f"sealed under key {key_id}, not {self.key_id}", code="wrong_key")
            raw = base64.urlsafe_b64decode(body)
            return self._gcm.decrypt(raw[:12], raw[12:], self._bound(name)).decode()
        except (ValueError, InvalidTag) as error:
            raise Rejected(f"the sealed record {name} does not open", code="not_authentic") from error

    def _bound(self, name: str) -> bytes:
        return f"switchboard|{_VERSION}|{self.key_id}|{name}".encode()

"""Device secrets, and the one form in which both brokers' rules keep them.

Mosquitto's ``$7$iterations$salt$hash`` (PBKDF2 with SHA-512) is what the database stores, so that its
password file is an excerpt of the table. A device's secret is 32 random bytes, not a word that people choose:
guessing is hopeless at any number of iterations, and a fleet that reconnects must not wait for slow hashes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

SECRET_BYTES = 32
SALT_BYTES = 12
ITERATIONS = 101
ITERATIONS_MAX = 1_000_000
HASH_BYTES = 64


def new_secret() -> str:
    """A new device secret, to be shown once."""
    return secrets.token_urlsafe(SECRET_BYTES)


def credential(secret: str, salt: bytes | None = None) -> str:
    """The stored form of ``secret``; a new salt is drawn where none is given."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    words = (base64.b64encode(part).decode() for part in (salt, _hash(secret, salt, ITERATIONS)))
    return "$".join(("", "7", str(ITERATIONS), *words))


def matches(secret: str, stored: str) -> bool:
    """Whether ``secret`` is the one of this credential; False for whatever is no credential."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[:2] != ["", "7"]:
        return False
    try:
        iterations = int(parts[2])
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[3:])
    except (ValueError, binascii.Error):
        return False
    if not 1 <= iterations <= ITERATIONS_MAX:
        return False
    return hmac.compare_digest(_hash(secret, salt, iterations), digest)


def _hash(secret: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, HASH_BYTES)

"""Passwords: argon2id by pwdlib, off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from milepost_server.people.errors import PasswordRefusedError

PASSWORD_CHARS_MIN = 10
PASSWORD_CHARS_MAX = 256
# Each hash takes 64 MiB while it is computed: two at a time bound what a burst of logins can take.
HASHES_AT_ONCE_MAX = 2


def check_new_password(password: str) -> str:
    """Return ``password`` when it may become one; length is the only rule (NIST SP 800-63B, 3.1.1.2).

    Raises:
        PasswordRefusedError: too short or too long.
    """
    if len(password) < PASSWORD_CHARS_MIN:
        raise PasswordRefusedError(
            f"A password has at least {PASSWORD_CHARS_MIN} characters; add a few words."
        )
    if len(password) > PASSWORD_CHARS_MAX:
        raise PasswordRefusedError(f"A password has at most {PASSWORD_CHARS_MAX} characters; shorten it.")
    return password


class Passwords:
    """Hashes and verifies passwords; one instance per application."""

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._room = asyncio.Semaphore(HASHES_AT_ONCE_MAX)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash of a new password, with its salt and parameters in it.

        Raises:
            PasswordRefusedError: the password breaks a rule.
        """
        check_new_password(password)
        async with self._room:
            return await asyncio.to_thread(self._hash.hash, password)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether ``password`` belongs to ``password_hash``.

        With no hash (an unknown person) the same work is done, so that the time taken tells nothing.
        """
        if len(password) > PASSWORD_CHARS_MAX:
            return False
        async with self._room:
            return await asyncio.to_thread(self._verify, password, password_hash)

    def _verify(self, password: str, password_hash: str | None) -> bool:
        if password_hash is None:
            self._nobody = self._nobody or self._hash.hash("nobody has this password")
            self._hash.verify(password, self._nobody)
            return False
        return self._hash.verify(password, password_hash)

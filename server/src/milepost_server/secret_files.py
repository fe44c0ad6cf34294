"""Secrets of an installation: made once, each in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import nkeys

from milepost_server.errors import InstallError

INGEST_PASSWORD = "ingest.password"  # noqa: S105
CALLOUT_PASSWORD = "callout.password"  # noqa: S105
CONTROL_PASSWORD = "control.password"  # noqa: S105
ACCOUNT_SEED = "account.seed"

PASSWORD_BYTES = 32
SEED_BYTES = 32


def make(folder: Path) -> None:
    """Make the secrets that ``folder`` does not have yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = nkeys.encode_seed(secrets.token_bytes(SEED_BYTES), nkeys.PREFIX_BYTE_ACCOUNT)
    _write_once(folder / ACCOUNT_SEED, seed.decode())
    for name in (INGEST_PASSWORD, CALLOUT_PASSWORD, CONTROL_PASSWORD):
        _write_once(folder / name, secrets.token_urlsafe(PASSWORD_BYTES))


def read(path: Path) -> str:
    """The secret in the file at ``path``.

    Raises:
        InstallError: it cannot be read, or others than its owner can read it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise InstallError(f"{path} can be read by others than its owner; run: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InstallError(f"cannot read {path} ({error.strerror}); run `milepost-server init`") from error


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to a file that only its owner can read, in place of whatever was there."""
    path.unlink(missing_ok=True)
    _write_once(path, text)


def _write_once(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")

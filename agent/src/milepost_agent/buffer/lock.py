"""One agent for one buffer: a lock file beside it, held as long as the process lives."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from milepost_agent.errors import StoreIoError, StoreLockedError

if TYPE_CHECKING:
    from pathlib import Path


class BufferLock:
    """The lock of the buffer at ``path``; the kernel releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self) -> Self:
        """Take the lock.

        Raises:
            StoreLockedError: another process has it.
            StoreIoError: the lock file cannot be made.
        """
        try:
            self._fd = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreIoError(str(self._path), f"cannot make its lock file: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            self.release()
            raise StoreLockedError(str(self._path), holder) from error
        self._write_holder()
        return self

    def _write_holder(self) -> None:
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except OSError:
            # On a full disk the lock still holds; only the other agent's message says less.
            return

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two processes lock two files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

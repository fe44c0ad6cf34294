"""The file system under the buffer: all that it asks of a disk, and the real one."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Final, Protocol

from milepost_agent.buffer.lock import BufferLock
from milepost_agent.buffer.policy import DiskFacts

if TYPE_CHECKING:
    from pathlib import Path

COPY_BYTES: Final = 64 * 1024
Identity = tuple[int, int]
"""(device, inode) of a file."""
Stamp = tuple[int, int]
"""(bytes, time of the last write in ns) of a file."""


class Held(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Give it back."""


class Files(Protocol):
    """What the buffer asks of a disk. Each call may raise OSError, ``connect`` also sqlite3.Error."""

    def exists(self, path: Path) -> bool:
        """Whether there is a file at ``path``."""

    def identity(self, path: Path) -> Identity | None:
        """Which file is at ``path``, None where there is none."""

    def stamp(self, path: Path) -> Stamp | None:
        """What changes whenever anybody writes to the file at ``path``; None where there is none."""

    def head(self, path: Path, size: int) -> bytes:
        """The first ``size`` bytes of a file, fewer where it is shorter."""

    def make_folder(self, folder: Path) -> None:
        """Make ``folder`` and those above it; that it exists is fine."""

    def make(self, path: Path) -> None:
        """Make an empty file, for its owner only; FileExistsError where there is one."""

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name in its folder; what is there is replaced."""

    def remove(self, path: Path) -> None:
        """Remove a file; that there is none is fine."""

    def beside(self, path: Path, prefix: str) -> list[Path]:
        """The files in the folder of ``path`` whose names begin with ``prefix``, in no order.

        Empty where there is no folder.
        """

    def sync_folder(self, path: Path) -> None:
        """Make the names in the folder of ``path`` survive a power cut."""

    def rewrite(self, path: Path) -> None:
        """Write a file over itself and make that last: all that is read of it is on the disk then."""

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection to the existing file at ``path``, without implicit transactions and without waiting.

        The caller sets all pragmas, ``locking_mode = EXCLUSIVE`` first: a disk need not have shared memory.
        """

    def lock(self, path: Path) -> Held:
        """Keep others from the buffer at ``path`` as long as this process lives.

        Raises:
            StoreLockedError: another process has it.
        """

    def look(self, folder: Path) -> DiskFacts:
        """What is free where ``folder`` is, or where it would be.

        Raises:
            OSError: it is mounted read-only, or does not tell.
        """

    def read_text(self, path: Path) -> str | None:
        """A small document beside the buffer, None where there is none."""

    def write_text(self, path: Path, text: str) -> None:
        """Put a small document at ``path``, whole or not at all; on return it survives a power cut."""


class PosixFiles:
    """The file systems of this machine."""

    def exists(self, path: Path) -> bool:
        """See ``Files``."""
        return path.exists()

    def identity(self, path: Path) -> Identity | None:
        """See ``Files``."""
        try:
            facts = path.stat()
        except FileNotFoundError:
            return None
        return facts.st_dev, facts.st_ino

    def stamp(self, path: Path) -> Stamp | None:
        """See ``Files``."""
        try:
            facts = path.stat()
        except FileNotFoundError:
            return None
        return facts.st_size, facts.st_mtime_ns

    def head(self, path: Path, size: int) -> bytes:
        """See ``Files``."""
        with path.open("rb") as file:
            return file.read(size)

    def make_folder(self, folder: Path) -> None:
        """See ``Files``; the names of the new folders are durable, too."""
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for place in made:
            self.sync_folder(place)

    def make(self, path: Path) -> None:
        """See ``Files``."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def rename(self, path: Path, to: Path) -> None:
        """See ``Files``."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """See ``Files``."""
        path.unlink(missing_ok=True)

    def beside(self, path: Path, prefix: str) -> list[Path]:
        """See ``Files``."""
        with contextlib.suppress(FileNotFoundError):
            return [file for file in path.parent.iterdir() if file.name.startswith(prefix)]
        return []

    def sync_folder(self, path: Path) -> None:
        """See ``Files``."""
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rewrite(self, path: Path) -> None:
        """See ``Files``."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            offset = 0
            while data := os.pread(fd, COPY_BYTES, offset):
                offset += os.pwrite(fd, data, offset)
            os.fsync(fd)
        finally:
            os.close(fd)

    def connect(self, path: Path) -> sqlite3.Connection:
        """See ``Files``."""
        # mode=rw: a file that has gone must not come back empty.
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0
        )

    def lock(self, path: Path) -> Held:
        """See ``Files``."""
        return BufferLock(path).acquire()

    def look(self, folder: Path) -> DiskFacts:
        """See ``Files``; bytes and inodes for an unprivileged process."""
        folder = folder.absolute()
        facts = os.statvfs(next(parent for parent in (folder, *folder.parents) if parent.is_dir()))
        if facts.f_flag & os.ST_RDONLY:
            # An ext4 that went read-only by force takes writes to an open file, and its sync, which does
            # nothing then, says that they are on the disk.
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        # Some file systems (btrfs, vfat) make inodes as needed and report a total of 0.
        return DiskFacts(facts.f_bavail * facts.f_frsize, facts.f_favail if facts.f_files else None)

    def read_text(self, path: Path) -> str | None:
        """See ``Files``."""
        with contextlib.suppress(FileNotFoundError):
            return path.read_text(encoding="utf-8")
        return None

    def write_text(self, path: Path, text: str) -> None:
        """See ``Files``: written beside it, then moved there whole."""
        fresh = path.with_name(f"{path.name}.new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        self.rename(fresh, path)
        self.sync_folder(path)


POSIX: Final = PosixFiles()

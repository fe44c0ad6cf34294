"""The agent's file system, on the simulated disk."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from milepost_agent.buffer.policy import DiskFacts
from milepost_simulator.world import sqlite_vfs
from milepost_simulator.world.disk import BLOCK_BYTES, DEVICE, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.buffer.files import Held, Identity, Stamp
    from milepost_simulator.world.mount import Mount


class _Lock:
    def release(self) -> None:
        """Nothing to do: each life has the disk for itself."""


class WorldFiles:
    """What ``milepost_agent.buffer.files.Files`` asks for.

    Args:
        mount: the disk of one life.
        connection: the class of connections to the file at a path, which a checker may look through.
    """

    def __init__(self, mount: Mount, connection: Callable[[Path], type[sqlite3.Connection]]) -> None:
        self._mount = mount
        self._connection = connection

    def exists(self, path: Path) -> bool:
        return self._mount.find(str(path)) is not None

    def identity(self, path: Path) -> Identity | None:
        inode = self._mount.find(str(path))
        return (DEVICE, inode.number) if inode else None

    def stamp(self, path: Path) -> Stamp | None:
        inode = self._mount.find(str(path))
        return (len(inode.data), inode.writes) if inode else None

    def head(self, path: Path, size: int) -> bytes:
        inode = self._mount.find(str(path))
        if inode is None:
            raise refusal(errno.ENOENT, str(path))
        return self._mount.read(inode, 0, size)

    def make_folder(self, folder: Path) -> None:
        """Folders are always there."""

    def make(self, path: Path) -> None:
        self._mount.create(str(path))

    def rename(self, path: Path, to: Path) -> None:
        self._mount.rename(str(path), str(to))

    def remove(self, path: Path) -> None:
        if self._mount.find(str(path)) is not None:
            self._mount.remove(str(path))

    def beside(self, path: Path, prefix: str) -> list[Path]:
        return [Path(name) for name in self._mount.under(str(path.with_name(prefix)))]

    def sync_folder(self, path: Path) -> None:
        self._mount.sync_folder(str(path))

    def rewrite(self, path: Path) -> None:
        if (inode := self._mount.find(str(path))) is None:
            raise refusal(errno.ENOENT, str(path))
        for offset in range(0, len(inode.data), BLOCK_BYTES):
            self._mount.write(inode, offset, self._mount.read(inode, offset, BLOCK_BYTES))
        self._mount.sync(inode)

    def connect(self, path: Path) -> sqlite3.Connection:
        vfs = sqlite_vfs.world_vfs()
        vfs.mount = self._mount
        return sqlite3.connect(
            f"file:{path}?mode=rw&vfs={sqlite_vfs.NAME}",
            uri=True,
            isolation_level=None,
            timeout=0,
            factory=self._connection(path),
        )

    def lock(self, path: Path) -> Held:
        self._mount.find(str(path))
        return _Lock()

    def look(self, folder: Path) -> DiskFacts:
        self._mount.find(str(folder))
        return DiskFacts(self._mount.disk.free_bytes, self._mount.disk.free_inodes)

    def read_text(self, path: Path) -> str | None:
        inode = self._mount.find(str(path))
        return None if inode is None else self._mount.read(inode, 0, len(inode.data)).decode()

    def write_text(self, path: Path, text: str) -> None:
        fresh = path.with_name(f"{path.name}.new")
        self.remove(fresh)
        inode = self._mount.create(str(fresh))
        self._mount.write(inode, 0, text.encode())
        self._mount.sync(inode)
        self.rename(fresh, path)
        self.sync_folder(path)

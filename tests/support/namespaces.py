"""Mounts and networks of our own, in namespaces that end with the process that holds them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


def _may() -> bool:
    """Whether this process may make namespaces and loop devices; in a container root may not."""
    made = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False)
    return os.geteuid() == 0 and made.returncode == 0 and Path("/dev/loop-control").exists()


needs_root = pytest.mark.skipif(
    not _may(), reason="mounts and networks of its own need root, and a whole machine"
)

COMMAND_S_MAX = 30.0


class Namespace:
    """A mount or network namespace; nothing of it is seen outside, and nothing of it stays behind.

    Args:
        kind: ``mount`` or ``net``.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        # It ends with this process, too: then nobody writes to its input any more.
        self._holder = subprocess.Popen(
            ["unshare", f"--{kind}", "sh", "-c", "echo ready; read _"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"no {kind} namespace to be had"

    @property
    def pid(self) -> int:
        """The process that holds it."""
        return self._holder.pid

    @property
    def within(self) -> list[str]:
        """A command that runs the one after it in the namespace."""
        file = {"mount": "mnt", "net": "net"}[self._kind]
        return ["setpriv", "--pdeathsig=KILL", "nsenter", f"--{self._kind}=/proc/{self.pid}/ns/{file}", "--"]

    def run(self, *command: str | Path, check: bool = True) -> str:
        """Run a command inside; what it said."""
        done = subprocess.run(
            [*self.within, *command], capture_output=True, text=True, check=False, timeout=COMMAND_S_MAX
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def seen(self, path: Path) -> Path:
        """Where this process finds what is at ``path`` inside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def close(self) -> None:
        """End it, with all that is in it."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(COMMAND_S_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SmallDisk:
    """A small file system in a mount namespace: ``tmpfs``, or ``ext4`` on a loop device.

    Args:
        folder: where it is mounted in ``disk``, and what lies beside it.
        kind: ``tmpfs`` or ``ext4``.
        inodes: how many files it has room for.
        backing_bytes: on how many bytes of flash the ext4 lies, which believes that it has ``size_bytes``.
    """

    def __init__(
        self, folder: Path, kind: str, size_bytes: int, inodes: int = 256, backing_bytes: int | None = None
    ) -> None:
        self.space = Namespace("mount")
        self.path = folder / "disk"
        self._device = folder / "flash" / "image"
        self._ballast = self.space.seen(self.path) / "ballast"
        self.path.mkdir(parents=True)
        if kind == "tmpfs":
            self._options = ["-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes={inodes}", "none"]
        else:
            self._device.parent.mkdir()
            room = backing_bytes or 2 * size_bytes
            self.space.run("mount", "-t", "tmpfs", "-o", f"size={room}", "none", self._device.parent)
            self.space.run("truncate", "-s", str(size_bytes), self._device)
            self.space.run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(inodes), self._device)
            self._options = ["-o", "loop,errors=remount-ro", str(self._device)]
        self.mount()

    @property
    def within(self) -> Sequence[str]:
        """A command that runs the one after it where the disk is seen."""
        return self.space.within

    def mount(self) -> None:
        """Mount it."""
        self.space.run("mount", *self._options, self.path)

    def unmount(self) -> bool:
        """Take it away, if nobody has a file open on it."""
        self.space.run("umount", self.path, check=False)
        return str(self.path) not in self.space.run("cat", "/proc/mounts")

    def fill(self) -> None:
        """Leave no byte free."""
        self._fill(self._ballast)

    def _fill(self, file: Path) -> None:
        chunk = 4096
        with file.open("ab", buffering=0) as ballast:
            while True:
                try:
                    ballast.write(b"\xa5" * chunk)
                    os.fsync(ballast.fileno())
                except OSError:
                    return

    def empty(self) -> None:
        """Give the bytes back."""
        self._ballast.unlink()

    def fill_inodes(self) -> int:
        """Make empty files until there is no inode; how many."""
        folder = self.space.seen(self.path)
        made = 0
        while True:
            try:
                (folder / f"inode-{made}").touch()
            except OSError:
                return made
            made += 1

    def empty_inodes(self) -> None:
        """Remove them."""
        for file in self.space.seen(self.path).glob("inode-*"):
            file.unlink()

    def break_down(self) -> None:
        """Let the ext4 find an error in itself: it goes read-only at once, whoever writes to it."""
        source = self.space.run("findmnt", "-no", "SOURCE", self.path).strip()
        self.space.seen(Path("/sys/fs/ext4", Path(source).name, "trigger_fs_error")).write_text("test")

    def use_up_flash(self) -> None:
        """No block that was not written before can be written any more: the device reports errors."""
        self._fill(self.space.seen(self._device.parent) / "used")

    def mend_flash(self) -> None:
        """The device has blocks again."""
        (self.space.seen(self._device.parent) / "used").unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.space.run("umount", self.path, check=False)
        self.space.close()

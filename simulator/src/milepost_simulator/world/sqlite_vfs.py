"""SQLite on the simulated disk: a VFS, registered in the very library that Python's ``sqlite3`` runs on.

``sqlite3.connect("file:/...?vfs=milepost-world", uri=True)`` then opens files of the mount that is in place.
There is no shared memory, so a database in WAL mode opens with ``locking_mode = EXCLUSIVE`` only, as the
agent's does. See the SQLite documentation, "The OS backend (VFS)", for what each method owes.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import re
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_int64, c_void_p
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_simulator.errors import WorldUnavailableError
from milepost_simulator.world.disk import BLOCK_BYTES, Inode

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_simulator.world.mount import Mount

NAME: Final = "milepost-world"
PATH_CHARACTERS_MAX: Final = 512

OK: Final = 0
FULL: Final = 13
CANTOPEN: Final = 14
NOTFOUND: Final = 12
IOERR_READ: Final = 266
IOERR_SHORT_READ: Final = 522
IOERR_WRITE: Final = 778
IOERR_FSYNC: Final = 1034
IOERR_TRUNCATE: Final = 1546
IOERR_DELETE: Final = 2570
IOERR_DELETE_NOENT: Final = 5898
IOERR_ACCESS: Final = 3338

OPEN_CREATE: Final = 0x4
OPEN_JOURNALS: Final = 0x800 | 0x80000
POWERSAFE_OVERWRITE: Final = 0x1000
"""A write that power interrupts leaves the bytes beside it alone; the default of SQLite on Unix."""
PRNG_SEED: Final = 28

_FILE = c_void_p
_IO: Final = (
    ("xClose", CFUNCTYPE(c_int, _FILE)),
    ("xRead", CFUNCTYPE(c_int, _FILE, c_void_p, c_int, c_int64)),
    ("xWrite", CFUNCTYPE(c_int, _FILE, c_void_p, c_int, c_int64)),
    ("xTruncate", CFUNCTYPE(c_int, _FILE, c_int64)),
    ("xSync", CFUNCTYPE(c_int, _FILE, c_int)),
    ("xFileSize", CFUNCTYPE(c_int, _FILE, POINTER(c_int64))),
    ("xLock", CFUNCTYPE(c_int, _FILE, c_int)),
    ("xUnlock", CFUNCTYPE(c_int, _FILE, c_int)),
    ("xCheckReservedLock", CFUNCTYPE(c_int, _FILE, POINTER(c_int))),
    ("xFileControl", CFUNCTYPE(c_int, _FILE, c_int, c_void_p)),
    ("xSectorSize", CFUNCTYPE(c_int, _FILE)),
    ("xDeviceCharacteristics", CFUNCTYPE(c_int, _FILE)),
)
_SYSTEM: Final = (
    ("xOpen", CFUNCTYPE(c_int, c_void_p, c_char_p, _FILE, c_int, POINTER(c_int))),
    ("xDelete", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)),
    ("xAccess", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, POINTER(c_int))),
    ("xFullPathname", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, c_void_p)),
    ("xDlOpen", c_void_p),
    ("xDlError", c_void_p),
    ("xDlSym", c_void_p),
    ("xDlClose", c_void_p),
    ("xRandomness", CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)),
    ("xSleep", CFUNCTYPE(c_int, c_void_p, c_int)),
    ("xCurrentTime", CFUNCTYPE(c_int, c_void_p, POINTER(c_double))),
    ("xGetLastError", c_void_p),
)


class _IoMethods(ctypes.Structure):
    _fields_ = (("iVersion", c_int), *_IO)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *_SYSTEM,
    )


class _Opened(NamedTuple):
    """A file that SQLite has open: of which life, and whether its name still has to be made to last."""

    mount: Mount
    inode: Inode
    path: str
    is_new: bool


class WorldVfs:
    """The VFS. ``mount`` is where files are opened from now on; open ones keep the mount they were opened on.

    Raises:
        WorldUnavailableError: Python's SQLite does not let itself be reached.
    """

    def __init__(self) -> None:
        self.mount: Mount | None = None
        self.unexpected: list[BaseException] = []
        """What went wrong in a method other than by a simulated fault: a mistake in the simulator."""
        self._opened: dict[int, _Opened] = {}
        self._library = _library()
        self._io = _IoMethods(iVersion=1, **self._callbacks(_IO))
        self._vfs = _Vfs(
            iVersion=1,
            szOsFile=ctypes.sizeof(c_void_p),
            mxPathname=PATH_CHARACTERS_MAX,
            zName=NAME.encode(),
            **self._callbacks(_SYSTEM),
        )
        if self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0) != OK:
            raise WorldUnavailableError("SQLite refuses another VFS")

    def seed(self, seed: int) -> None:
        """Make SQLite's own random numbers repeat (salts of the log)."""
        self._library.sqlite3_test_control(PRNG_SEED, c_int(seed & 0x7FFFFFFF or 1), c_void_p(None))

    @property
    def open_files(self) -> int:
        return len(self._opened)

    def _callbacks(self, table: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        return {
            name: kind(self._guarded(getattr(self, re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", name[1:]))))
            for name, kind in table
            if kind is not c_void_p
        }

    def _guarded(self, method: Callable[..., int]) -> Callable[..., int]:
        """An exception cannot pass through C: this is where it stops, for the history to raise."""

        def call(*args: Any) -> int:
            try:
                return method(*args)
            except BaseException as error:  # noqa: BLE001  (kept, and raised by the history)
                self.unexpected.append(error)
                return IOERR_READ

        return call

    # --- Files ----------------------------------------------------------------------------------------

    def _open(self, _: int, name: bytes | None, file: int, flags: int, out: Any) -> int:
        c_void_p.from_address(file).value = None
        mount = self.mount
        if mount is None:
            return CANTOPEN
        path = name.decode() if name else f"unnamed-{file}"
        try:
            inode = mount.find(path)
            is_new = inode is None
            if inode is None and not flags & OPEN_CREATE:
                return CANTOPEN
            inode = mount.create(path) if inode is None else inode
        except OSError:
            return CANTOPEN
        self._opened[file] = _Opened(mount, inode, path, is_new and bool(flags & OPEN_JOURNALS))
        c_void_p.from_address(file).value = ctypes.addressof(self._io)
        if out:
            out[0] = flags
        return OK

    def _close(self, file: int) -> int:
        del self._opened[file]
        return OK

    def _read(self, file: int, buffer: int, size: int, offset: int) -> int:
        opened = self._opened[file]
        try:
            data = opened.mount.read(opened.inode, offset, size)
        except OSError:
            return IOERR_READ
        ctypes.memmove(buffer, data, len(data))
        if len(data) == size:
            return OK
        ctypes.memset(buffer + len(data), 0, size - len(data))
        return IOERR_SHORT_READ

    def _write(self, file: int, buffer: int, size: int, offset: int) -> int:
        opened = self._opened[file]
        try:
            opened.mount.write(opened.inode, offset, ctypes.string_at(buffer, size))
        except OSError as error:
            return FULL if error.errno == errno.ENOSPC else IOERR_WRITE
        return OK

    def _truncate(self, file: int, size: int) -> int:
        opened = self._opened[file]
        try:
            opened.mount.resize(opened.inode, size)
        except OSError:
            return IOERR_TRUNCATE
        return OK

    def _sync(self, file: int, _flags: int) -> int:
        opened = self._opened[file]
        try:
            opened.mount.sync(opened.inode)
            if opened.is_new:
                # As SQLite does on Unix: a log that was made is of use only if its name survives, too.
                opened.mount.sync_folder(opened.path)
        except OSError:
            return IOERR_FSYNC
        self._opened[file] = opened._replace(is_new=False)
        return OK

    def _file_size(self, file: int, out: Any) -> int:
        out[0] = len(self._opened[file].inode.data)
        return OK

    def _lock(self, _file: int, _level: int) -> int:
        return OK  # one connection a file: the agent's own lock keeps others away

    _unlock = _lock

    def _check_reserved_lock(self, _file: int, out: Any) -> int:
        out[0] = 0
        return OK

    def _file_control(self, _file: int, _op: int, _arg: int) -> int:
        return NOTFOUND

    def _sector_size(self, _file: int) -> int:
        return BLOCK_BYTES

    def _device_characteristics(self, _file: int) -> int:
        return POWERSAFE_OVERWRITE

    # --- Names, and what else a system offers -----------------------------------------------------------

    def _delete(self, _: int, name: bytes, sync_folder: int) -> int:
        mount, path = self.mount, name.decode()
        if mount is None:
            return IOERR_DELETE
        try:
            mount.remove(path)
            if sync_folder:
                mount.sync_folder(path)
        except FileNotFoundError:
            return IOERR_DELETE_NOENT
        except OSError:
            return IOERR_DELETE
        return OK

    def _access(self, _: int, name: bytes, _flags: int, out: Any) -> int:
        if self.mount is None:
            return IOERR_ACCESS
        try:
            inode = self.mount.find(name.decode())
        except OSError:
            return IOERR_ACCESS
        # As on Unix: an empty file counts as none, for that is what a crash leaves of a journal.
        out[0] = int(inode is not None and bool(inode.data))
        return OK

    def _full_pathname(self, _: int, name: bytes, size: int, out: int) -> int:
        if len(name) >= size:
            return CANTOPEN
        ctypes.memmove(out, name + b"\0", len(name) + 1)
        return OK

    def _randomness(self, _: int, size: int, out: int) -> int:
        ctypes.memset(out, 7, size)
        return size

    def _sleep(self, _: int, microseconds: int) -> int:
        return microseconds

    def _current_time(self, _: int, out: Any) -> int:
        out[0] = 2_461_000.5
        return OK


def _library() -> ctypes.CDLL:
    """The SQLite library under ``sqlite3``: symbols are looked for in the module and in all that it links."""
    try:
        library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        library.sqlite3_vfs_register.argtypes = (c_void_p, c_int)
    except (OSError, AttributeError) as error:
        raise WorldUnavailableError(f"its functions are not to be found ({error})") from error
    return library


_registered: list[WorldVfs] = []


def world_vfs() -> WorldVfs:
    """The one VFS of this process; SQLite keeps it for good.

    Raises:
        WorldUnavailableError: see ``WorldVfs``.
    """
    if not _registered:
        _registered.append(WorldVfs())
    return _registered[0]

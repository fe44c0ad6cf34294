"""The system call filter of a systemd unit, put on a process by libseccomp as systemd would."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

LIBRARY = "libseccomp.so.2"
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
UNKNOWN_CALL = -1
MASKED_EQUAL = 7
PROTECTION_ARGUMENT = 2
WRITE, EXECUTE = 2, 4


def allowed_calls(unit: Path) -> set[str]:
    """The names of the system calls that ``unit`` allows: its lines in turn, each adding or taking away."""
    allowed = _calls("@default")
    for line in re.findall(r"^SystemCallFilter=(.+)$", unit.read_text(), flags=re.MULTILINE):
        names = {call for name in line.removeprefix("~").split() for call in _calls(name)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def _calls(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    )
    words = [line.split()[0] for line in listed.stdout.splitlines()[1:] if line.split()]
    return {call for word in words if word != "#" for call in _calls(word)}


class _Compare(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def confine(calls: set[str]) -> None:
    """Let every system call of this process and its children but ``calls`` fail with EPERM from now on.

    As by MemoryDenyWriteExecute=, so does what would make memory writable and executable at once or in turn.
    """
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    memory = {
        "mmap": [(WRITE | EXECUTE, value) for value in (0, WRITE, EXECUTE)],
        "mprotect": [(EXECUTE, 0)],
        "pkey_mprotect": [(EXECUTE, 0)],
    }
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in sorted(calls):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN_CALL:
            continue
        for condition in memory.get(name, [None]):
            conditions = [_Compare(PROTECTION_ARGUMENT, MASKED_EQUAL, *condition)] if condition else []
            array = (_Compare * len(conditions))(*conditions)
            library.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, len(conditions), array)
    assert library.seccomp_load(context) == 0


def within(unit: Path) -> list[str]:
    """A command that runs the one after it within what ``unit`` allows."""
    return [sys.executable, __file__, str(unit)]


if __name__ == "__main__":
    confine(allowed_calls(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])

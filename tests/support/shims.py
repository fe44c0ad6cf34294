"""Libraries in C that a test puts under a process, compiled once in a run."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


@cache
def built(source: Path) -> str:
    """The path of ``source``, compiled; it lies in a temporary folder until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="milepost-shim-")
    _FOLDERS.append(folder)
    library = f"{folder.name}/{source.stem}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-lpthread"], check=True)
    return library

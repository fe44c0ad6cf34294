"""The clock of ``wrong_clock.c`` under a process, set from here while it runs."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Self

from support.shims import built

CONTROL = struct.Struct("<qq")


class WrongClock:
    """The wall clock of the processes that ``within`` starts; at first it is the machine's, and kept."""

    def __init__(self) -> None:
        self._shared = os.memfd_create("clock")
        os.ftruncate(self._shared, CONTROL.size)
        self._control = mmap.mmap(self._shared, CONTROL.size)
        self.step(0, is_kept=True)

    @property
    def within(self) -> list[str]:
        """A command that runs the one after it by this clock."""
        library = built(Path(__file__).with_suffix(".c"))
        return ["env", f"LD_PRELOAD={library}", f"WRONG_CLOCK=/proc/{os.getpid()}/fd/{self._shared}"]

    def step(self, ahead_s: int, *, is_kept: bool) -> None:
        """Set the clock ``ahead_s`` before the machine's; ``is_kept``: a time service says so."""
        self._control[:] = CONTROL.pack(ahead_s, is_kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        os.close(self._shared)

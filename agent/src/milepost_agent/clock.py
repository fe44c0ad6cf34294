"""Time: one look at all clocks, how far to trust it, and the repair of stamps made by a wrong clock."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_MS: Final = 86_400_000
BUILT_MS: Final = 1_756_684_800_000
"""1 September 2025: no right clock shows a time before this code was written."""
PLAUSIBLE_DAYS_MAX: Final = 15 * 365
"""A clock further than this after ``BUILT_MS`` is taken to be wrong: no car keeps its software longer."""
BOOT_ID_FILE: Final = "/proc/sys/kernel/random/boot_id"


class ClockReading(NamedTuple):
    """All clocks at one moment.

    ``mono_s`` is the clock that readings carry. ``offset_ms`` is the wall clock less the time since boot,
    sleep included: within one ``boot`` it changes only when the wall clock is set.
    """

    wall_ms: int
    mono_s: float
    offset_ms: int
    trust: TimeTrust
    boot: str

    def wall_ms_at(self, mono_s: float) -> int:
        """The wall time of a moment that the monotonic clock showed as ``mono_s``; never before 1970."""
        return max(0, self.wall_ms + round((mono_s - self.mono_s) * 1000))


Clock = "Callable[[], ClockReading]"


def judge(wall_ms: int, *, synced: bool | None) -> TimeTrust:
    """How far to trust ``wall_ms``; ``synced`` is the kernel's word on its time service, if any."""
    if not BUILT_MS <= wall_ms <= BUILT_MS + PLAUSIBLE_DAYS_MAX * DAY_MS:
        return TimeTrust.UNTRUSTED
    return TimeTrust.SYNCED if synced else TimeTrust.RTC


def repair_ms(boot: str, offset_ms: int, now: ClockReading) -> int | None:
    """What to add to untrusted times stamped at ``offset_ms`` in ``boot``.

    None while the clock is not trusted, and for ever after the boot has ended: then only the order is known.
    """
    if now.trust is TimeTrust.UNTRUSTED or now.boot != boot:
        return None
    return now.offset_ms - offset_ms


class SystemClock:
    """The clocks of this machine."""

    def __init__(self) -> None:
        self._boot = _boot_id()
        self._kernel_synced = _kernel_time_service()
        # CLOCK_BOOTTIME also counts sleep; elsewhere than on Linux there is none.
        self._boottime_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def __call__(self) -> ClockReading:
        mono_s = time.monotonic()
        since_boot_s = time.clock_gettime(self._boottime_id)
        wall_ms = time.time_ns() // 1_000_000
        return ClockReading(
            wall_ms=wall_ms,
            mono_s=mono_s,
            offset_ms=wall_ms - round(since_boot_s * 1000),
            trust=judge(wall_ms, synced=self._kernel_synced()),
            boot=self._boot,
        )


def _boot_id() -> str:
    try:
        with open(BOOT_ID_FILE, encoding="ascii") as file:  # noqa: PTH123  (pathlib buys nothing here)
            return file.read().strip()
    except OSError:
        # Without a name for this boot nothing may be repaired after a restart: a name that never recurs.
        return f"process-{time.time_ns()}"


def _kernel_time_service() -> Callable[[], bool | None]:
    """Asks the kernel whether a time service keeps its clock (adjtimex(2): any state but TIME_ERROR)."""
    if sys.platform != "linux":
        return lambda: None
    import ctypes  # noqa: PLC0415  (only Linux has the call, and only there is its memory spent)

    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return lambda: None
    time_error = 5
    timex_bytes = 512  # struct timex is 208 bytes at most; modes = 0 only reads

    def synced() -> bool | None:
        state = adjtimex(ctypes.create_string_buffer(timex_bytes))
        return None if state < 0 else state != time_error

    return synced

"""The desk: takes an entry in, and answers only once it is stored."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.credit import Credit
from milepost_agent.entry.plausible import doubt
from milepost_agent.entry.request import OdometerEntry, ServiceDone, read_entry
from milepost_agent.errors import EntryError, StoreError
from milepost_agent.readings import Reading
from milepost_protocol import service

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.buffer.recorder import Recorder
    from milepost_agent.clock import ClockReading
    from milepost_agent.edge import Edge

ENTRIES_MAX: Final = 60
"""Entries in a row: a program that enters more is at fault, and each is a commit of its own on the flash."""
ENTRY_S: Final = 60.0
"""After that one entry in so many seconds."""
HINT: Final = 'Look again; --force ("force": true) enters what the instrument really shows.'


class EntryDesk:
    """Everything that a person enters goes through here.

    Args:
        edge: the edge as it is now.
        recorder: where samples are stored.
        clock: all clocks.
    """

    def __init__(
        self, edge: Callable[[], Edge], recorder: Recorder, clock: Callable[[], ClockReading]
    ) -> None:
        self._edge = edge
        self._recorder = recorder
        self._clock = clock
        self._credit = Credit(ENTRIES_MAX, ENTRY_S)
        self.taken = 0
        self.refused: Counter[str] = Counter()

    async def take(self, line: bytes) -> dict[str, Any]:
        """The answer to one line: ``{"stored": ...}`` once it is on the disk, or ``{"error": ...}``."""
        try:
            stored = await self._take(line)
        except EntryError as error:
            return self.refuse(error.reason, str(error))
        self.taken += 1
        return {"stored": stored}

    def refuse(self, reason: str, message: str) -> dict[str, Any]:
        """The answer to what is not taken; it is counted by ``reason``."""
        self.refused[reason] += 1
        return {"error": {"reason": reason, "message": message}}

    async def _take(self, line: bytes) -> dict[str, Any]:
        now = self._clock()
        entry = read_entry(line, now)
        self._check_pace(now.mono_s)
        if isinstance(entry, OdometerEntry):
            stored, samples = self._odometer(entry, now)
        else:
            stored, samples = self._service(entry, now)
        self._recorder.add(samples)
        try:
            await self._recorder.until_stored()
        except StoreError as error:
            raise EntryError(
                "not-stored",
                f"it is kept in memory, the disk refuses: {error}; enter it again when it does not",
            ) from error
        return stored

    def _odometer(self, entry: OdometerEntry, now: ClockReading) -> tuple[dict[str, Any], list[Reading]]:
        self._check(entry.odometer_m, entry.at_ms, force=entry.force)
        edge, at_mono_s = self._edge(), _mono_s(entry.at_ms, now)
        samples = edge.enter_odometer(entry.odometer_m, entry.sigma_m, now.mono_s, at_mono_s)
        return {
            "odometer_km": round(entry.odometer_m / 1000, 1),
            "at_ms": now.wall_ms if entry.at_ms is None else entry.at_ms,
            "anchored": at_mono_s is None and not (edge.odometer and edge.odometer.is_cars_own),
        }, samples

    def _service(self, entry: ServiceDone, now: ClockReading) -> tuple[dict[str, Any], list[Reading]]:
        metres = entry.service.odometer_m
        if metres is not None:
            self._check(metres, entry.at_ms, force=entry.force)
        at_mono_s = _mono_s(entry.at_ms, now)
        return {
            "service": entry.service.item,
            "odometer_km": None if metres is None else round(metres / 1000, 1),
            "at_ms": now.wall_ms if entry.at_ms is None else entry.at_ms,
        }, [Reading(service.SIGNAL, entry.service.text(), now.mono_s if at_mono_s is None else at_mono_s)]

    def _check_pace(self, at_s: float) -> None:
        if not self._credit.take(at_s):
            pause_s = self._credit.next_s(at_s) - at_s
            raise EntryError("busy", f"too many entries in a row; the next is taken in {pause_s:.0f} s")

    def _check(self, odometer_m: float, at_ms: int | None, *, force: bool) -> None:
        why = doubt(odometer_m, self._edge().odometer, is_past=at_ms is not None)
        if why and not force:
            stop = "" if why.endswith("?") else "."
            raise EntryError("implausible", f"{odometer_m / 1000:,.1f} km cannot be: {why}{stop} {HINT}")

    def facts(self) -> dict[str, Any]:
        """What status shows."""
        return {"taken": self.taken, "refused": dict(self.refused)}


def _mono_s(at_ms: int | None, now: ClockReading) -> float | None:
    """What the monotonic clock would have shown ``at_ms``; below zero before the machine was started."""
    return None if at_ms is None else now.mono_s - (now.wall_ms - at_ms) / 1000

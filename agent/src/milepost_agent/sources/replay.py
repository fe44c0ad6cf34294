"""Replay: readings from a CSV file, in real or accelerated time.

The format is ours: UTF-8, a header ``time_s`` followed by signal paths of the catalogue, one row per moment,
times in seconds that never fall, empty cells where nothing was read. Booleans are ``true`` and ``false``::

    time_s,Vehicle.Speed,Vehicle.Powertrain.CombustionEngine.Speed
    0.0,0,800
    1.0,,1450.25
    1.5,12,
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.errors import ReplayFormatError, SourceConfigError
from milepost_agent.paths import INNER
from milepost_agent.readings import Reading
from milepost_agent.sources.settings import SettingValue, SourceSetting
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from milepost_protocol.signals import Value

TIME_COLUMN: Final = "time_s"
COLUMNS_MAX: Final = 256
SLEEP_S_MIN: Final = 0.01
"""Shorter waits are saved up: an accelerated replay would spend its time on timers."""

REPLAY_SETTINGS: Final = (
    SourceSetting("file", None, "CSV file of readings: time_s and one column per signal path"),
    SourceSetting("speed", 1.0, "how many times faster than real time", minimum=0.01, maximum=100_000.0),
    SourceSetting("repeat", False, "begin again at the end; in real time only"),
)


class Row(NamedTuple):
    """One line of the file: its time, and what was read then."""

    time_s: float
    values: tuple[tuple[str, Value], ...]


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of ``file``, one at a time.

    Raises:
        ReplayFormatError: a line that is not of the format.
        OSError: the file cannot be read.
    """
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        _check_header(file, header)
        last_s = -math.inf
        for cells in reader:
            row = _row(file, reader.line_num, header, cells)
            if row.time_s < last_s:
                raise ReplayFormatError(str(file), reader.line_num, f"time {row.time_s} falls below {last_s}")
            last_s = row.time_s
            yield row


def _check_header(file: Path, header: list[str]) -> None:
    if len(header) < 2 or header[0] != TIME_COLUMN or len(header) > COLUMNS_MAX:
        raise ReplayFormatError(
            str(file), 1, f"should be {TIME_COLUMN} and 1 to {COLUMNS_MAX - 1} signal paths"
        )
    for path in header[1:]:
        if path not in catalogue() and path not in INNER:
            raise ReplayFormatError(str(file), 1, f"{path[:128]!r} is no signal of the catalogue")


def _row(file: Path, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise ReplayFormatError(str(file), line, f"has {len(cells)} cells, the header has {len(header)}")
    try:
        time_s = float(cells[0])
        values = tuple((p, _value(p, c)) for p, c in zip(header[1:], cells[1:], strict=True) if c)
    except (ValueError, ValueRefusedError) as error:
        raise ReplayFormatError(str(file), line, str(error)) from error
    if not math.isfinite(time_s):
        raise ReplayFormatError(str(file), line, f"{cells[0]!r} is no time")
    return Row(time_s, values)


def _value(path: str, cell: str) -> Value:
    if path in INNER:
        return cell
    signal = catalogue()[path]
    if signal.is_text:
        return signal.check(cell)
    if signal.datatype == "boolean":
        if cell not in ("true", "false"):
            raise ValueRefusedError(path, cell, "is neither true nor false")
        return cell == "true"
    return signal.check(float(cell))


class ReplaySource:
    """Plays ``file`` once, or again and again; then it waits for ever, as a parked car would.

    Each reading keeps its distance in time to the others, whatever the speed, so that what is derived from it
    does not depend on the speed. Played faster than real time, the readings are dated back so that the last
    one is of the present, none of the future.
    """

    name = "replay"

    def __init__(
        self,
        file: Path,
        speed: float = 1.0,
        *,
        repeat: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._speed = speed
        self._repeat = repeat
        self._clock = clock
        self._readings = 0
        self._rounds = 0

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings of the file, in the order of its rows and columns.

        Raises:
            ReplayFormatError: a line that is not of the format.
            OSError: the file cannot be read.
        """
        first_s, last_s = _span_s(self._file)
        start_s = self._clock()
        while True:
            async with contextlib.aclosing(self._round(start_s, first_s, last_s)) as round_readings:
                async for reading in round_readings:
                    yield reading
            self._rounds += 1
            if not self._repeat:
                await asyncio.Event().wait()
            start_s = max(start_s + last_s - first_s, self._clock())

    async def _round(self, start_s: float, first_s: float, last_s: float) -> AsyncGenerator[Reading, None]:
        dated_back_s = max(0.0, (last_s - first_s) * (1 - 1 / self._speed))
        for row in read_rows(self._file):
            wait_s = start_s + (row.time_s - first_s) / self._speed - self._clock()
            await asyncio.sleep(wait_s if wait_s >= SLEEP_S_MIN else 0)
            for path, value in row.values:
                self._readings += 1
                yield Reading(path, value, start_s - dated_back_s + row.time_s - first_s)

    def status(self) -> Mapping[str, Value]:
        return {"file": self._file.name, "readings": self._readings, "rounds": self._rounds}


def _span_s(file: Path) -> tuple[float, float]:
    times_s = [math.nan, math.nan]
    for row in read_rows(file):
        times_s = [row.time_s if math.isnan(times_s[0]) else times_s[0], row.time_s]
    if math.isnan(times_s[0]):
        raise ReplayFormatError(str(file), 2, "there are no readings")
    return times_s[0], times_s[1]


def open_replay(settings: Mapping[str, SettingValue], jitter: Callable[[], float]) -> ReplaySource:  # noqa: ARG001
    """A replay source from its settings; a replay needs no jitter.

    Raises:
        SourceConfigError: no such file, a first line that is not of the format, or repeat with acceleration.
    """
    file, speed, repeat = Path(str(settings["file"])), float(settings["speed"]), bool(settings["repeat"])
    if repeat and speed > 1:
        raise SourceConfigError(
            "repeat", "a replay faster than real time plays once; set speed = 1 or repeat = false"
        )
    try:
        next(read_rows(file), None)
    except OSError as error:
        raise SourceConfigError("file", f"{file} cannot be read: {error.strerror or error}") from error
    except ReplayFormatError as error:
        raise SourceConfigError("file", str(error)) from error
    return ReplaySource(file, speed, repeat=repeat)

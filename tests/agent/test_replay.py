"""Replay: the file format, real and accelerated time, and what is said of a bad file."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.errors import ReplayFormatError, SourceConfigError
from milepost_agent.sources import open_source
from milepost_agent.sources.replay import ReplaySource, read_rows
from support.adapters import collect_until

if TYPE_CHECKING:
    from collections.abc import Callable

    Writer = Callable[[str], Path]

HEADER = f"time_s,{paths.SPEED},Vehicle.Milepost.Diagnostics.IsMilOn,{paths.DTC_CONFIRMED}\n"
GOOD = HEADER + "10.0,0,false,\n10.5,,,P0301 P0420\n130.0,57.5,true,\n"


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def _write(text: str) -> Path:
        file = tmp_path / "drive.csv"
        file.write_text(text, encoding="utf-8")
        return file

    return _write


def test_cells_have_their_signals_type_and_empty_ones_are_nothing(write: Writer) -> None:
    rows = list(read_rows(write(GOOD)))
    assert [row.time_s for row in rows] == [10.0, 10.5, 130.0]
    assert rows[0].values == ((paths.SPEED, 0.0), ("Vehicle.Milepost.Diagnostics.IsMilOn", False))
    assert rows[1].values == ((paths.DTC_CONFIRMED, "P0301 P0420"),)


async def test_an_accelerated_replay_keeps_distances_in_time_and_ends_in_the_present(write: Writer) -> None:
    source = ReplaySource(write(GOOD), speed=10_000.0, clock=lambda: 5_000.0)
    readings = await collect_until(source.readings(), lambda readings: len(readings) == 5)
    assert [r.mono_s for r in readings] == pytest.approx([4880.012, 4880.012, 4880.512, 5000.012, 5000.012])
    assert [r.value for r in readings] == [0.0, False, "P0301 P0420", 57.5, True]


async def test_a_replay_in_real_time_waits_until_it_is_time(write: Writer) -> None:
    now_s = 100.0
    source = ReplaySource(write(HEADER + "0,1,,\n5,2,,\n"), clock=lambda: now_s)
    readings = source.readings()
    async with contextlib.aclosing(readings):
        first = await anext(readings)
        assert (first.value, first.mono_s) == (1.0, 100.0)
        second = asyncio.ensure_future(anext(readings))
        await asyncio.sleep(0)
        assert not second.done()
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second


async def test_after_its_end_a_replay_waits_as_a_parked_car_does_and_a_repeated_one_goes_on(
    write: Writer,
) -> None:
    file = write(HEADER + "0,1,,\n0.01,2,,\n")
    once = open_source({"kind": "replay", "file": str(file)})
    readings = once.readings()
    assert [(await anext(readings)).value for _ in range(2)] == [1.0, 2.0]
    third = asyncio.ensure_future(anext(readings))
    await asyncio.sleep(0)
    assert once.status() == {"file": "drive.csv", "readings": 2, "rounds": 1}
    third.cancel()
    again = open_source({"kind": "replay", "file": str(file), "repeat": True})
    collected = await collect_until(again.readings(), lambda readings: len(readings) == 6)
    assert [r.value for r in collected] == [1.0, 2.0] * 3
    times = [r.mono_s for r in collected]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "signal paths"),
        ("time,Vehicle.Speed\n", 1, "time_s"),
        ("time_s,Vehicle.Sped\n", 1, "no signal"),
        (HEADER + "0,1\n", 2, "cells"),
        (HEADER + "0,x,,\n", 2, "could not convert"),
        (HEADER + "nan,1,,\n", 2, "no time"),
        (HEADER + "0,9999,,\n", 2, "outside"),
        (HEADER + "0,1,yes,\n", 2, "neither true nor false"),
        (HEADER + "5,1,,\n4,1,,\n", 3, "falls below"),
    ],
)
def test_a_bad_file_is_told_with_its_line(write: Writer, text: str, line: int, why: str) -> None:
    with pytest.raises(ReplayFormatError, match=why) as caught:
        list(read_rows(write(text)))
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        ({}, "kind"),
        ({"kind": "obd"}, "kind"),
        ({"kind": ["replay"]}, "kind"),
        ({"kind": "replay"}, "file"),
        ({"kind": "replay", "file": "/nowhere/at/all.csv"}, "file"),
        ({"kind": "replay", "file": 5}, "file"),
        ({"kind": "replay", "file": "x", "sped": 1.0}, "sped"),
        ({"kind": "replay", "file": "x", "speed": 0}, "speed"),
        ({"kind": "replay", "file": "x", "speed": 10, "repeat": True}, "repeat"),
        ({"kind": "elm327"}, "port"),
        ({"kind": "elm327", "port": ""}, "port"),
        ({"kind": "elm327", "port": "udp://host:1"}, "port"),
        ({"kind": "elm327", "port": "tcp://host"}, "port"),
        ({"kind": "elm327", "port": "tcp://host:0"}, "port"),
        ({"kind": "elm327", "port": "/dev/ttyUSB0", "baud": "fast"}, "baud"),
        ({"kind": "elm327", "port": "/dev/ttyUSB0", "baud": True}, "baud"),
        ({"kind": "elm327", "port": "/dev/ttyUSB0", "protocol": "X"}, "protocol"),
    ],
)
def test_a_source_that_cannot_be_names_the_setting_at_fault(config: dict[str, object], setting: str) -> None:
    with pytest.raises(SourceConfigError) as caught:
        open_source(config)
    assert caught.value.setting == setting
    assert setting in str(caught.value)


async def test_a_replay_that_is_given_up_lets_go_of_its_file(write: Writer) -> None:
    file = write(GOOD)
    readings = ReplaySource(file).readings()
    await anext(readings)
    assert file in open_files()
    await readings.aclose()
    assert file not in open_files()


def open_files() -> set[Path]:
    return {link.resolve() for link in Path("/proc/self/fd").iterdir()}

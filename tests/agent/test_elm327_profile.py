"""What a vehicle profile names, read through an ELM327: units of their own, long answers, other buses."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.backoff import Backoff
from milepost_agent.sources import open_source
from milepost_agent.sources.elm327.adapter import AdapterTimes
from milepost_agent.sources.elm327.port import port_opener
from milepost_agent.sources.elm327.session import Elm327Source, SessionOptions
from milepost_agent.vehicles import open_library
from milepost_simulator.car.can_garage import CLUSTER, cluster_model
from milepost_simulator.car.chaos import CALM, WILD, Chaos
from milepost_simulator.car.ecu import ENGINE_UNIT, TRANSMISSION_UNIT
from milepost_simulator.car.elm327 import PROMPTLY, Addressed, Elm327
from milepost_simulator.car.port import serve_tcp
from milepost_simulator.car.uds import UdsModel, UdsUnit
from milepost_simulator.car.wear import Wear
from milepost_simulator.clock import ManualClock
from support.adapters import collect_until, has, latest
from support.can_cars import ODOMETER_M, PROFILE, standing_car
from support.cars import START_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = AdapterTimes(
    reset_s_max=0.3, setting_s_max=0.2, request_s_max=0.2, search_s_max=0.3, quiet_s=0.02, drain_s_max=0.1
)
OIL_LIFE = "Vehicle.Milepost.Engine.OilLife"
PAD_WEAR = "Vehicle.Chassis.Axle.Row2.Wheel.Left.Brake.PadWear"
SECOND = """
[profile]
title = "two units, one far from the addresses of OBD, with a long answer"
standing = "example"
source = "made up for a test"
vins = ["XMPC*"]

[[unit]]
name = "body"
request = 0x6A0
response = 0x6B2

[[unit]]
name = "battery"
request = 0x7E0
response = 0x7E8

[[read]]
unit = "body"
did = 0x3001
bytes = 20
interval_s = 5
[[read.field]]
signal = "Vehicle.TraveledDistance"
start = 16
length = 4
[[read.example]]
request = "22 30 01"
response = "62 30 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00"
values = { "Vehicle.TraveledDistance" = 256 }

[[read]]
unit = "battery"
did = 0x4001
bytes = 1
interval_s = 5
[[read.field]]
signal = "Vehicle.Milepost.Engine.OilLife"
start = 0
[[read.example]]
request = "22 40 01"
response = "62 40 01 32"
values = { "Vehicle.Milepost.Engine.OilLife" = 50 }
"""


def adapter_in(others: list[Addressed], protocol: int = 6) -> Elm327:
    clock, units = ManualClock(START_S), (ENGINE_UNIT, TRANSMISSION_UNIT)
    return Elm327(standing_car(), clock, models=units, others=others, protocol=protocol, timing=PROMPTLY)


def with_cluster(protocol: int = 6) -> Elm327:
    cluster = Addressed(CLUSTER.request, CLUSTER.response, UdsUnit(cluster_model(Wear())))
    return adapter_in([cluster], protocol)


@contextlib.asynccontextmanager
async def served(elm: Elm327, chaos: Chaos | None = None) -> AsyncIterator[dict[str, object]]:
    async with serve_tcp(elm, chaos or Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        yield {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"}


async def test_a_cluster_tells_its_odometer_through_an_adapter() -> None:
    elm = with_cluster()
    async with served(elm) as table:
        source = open_source(table | {"profile": PROFILE})
        readings = await collect_until(source.readings(), has(paths.ODOMETER, OIL_LIFE, PAD_WEAR, paths.VIN))
    found = latest(readings)
    assert found[paths.ODOMETER] == ODOMETER_M
    assert found[OIL_LIFE] == 100.0
    assert found[PAD_WEAR] == 0
    status = source.status()
    assert (status["profile"], status["unknown_settings"], status["garbled"]) == (PROFILE, "", 0)
    headers = {header for header, request in elm.asked if request[0] == 0x22}
    assert headers == {"720"}
    assert all(header in ("", "7DF") for header, request in elm.asked if request[0] != 0x22)


async def test_the_vin_chooses_the_profile_and_two_units_are_asked_in_turn(tmp_path: Path) -> None:
    (tmp_path / "second.toml").write_text(SECOND)
    body = UdsUnit(UdsModel(data={0x3001: lambda _: bytes(16) + (77_000).to_bytes(4, "big")}))
    battery = UdsUnit(UdsModel(data={0x4001: lambda _: b"\x32"}))
    elm = adapter_in([Addressed(0x6A0, 0x6B2, body)])
    elm._ecus[0].respond = _with(battery, elm._ecus[0].respond)
    async with served(elm) as table:
        source = open_source(table | {"profile": str(tmp_path)})
        assert source.status()["profile"] == "generic"
        enough = has(paths.ODOMETER, OIL_LIFE, paths.VIN)
        readings = await collect_until(source.readings(), enough)
    assert source.status()["profile"] == "second"
    assert latest(readings)[paths.ODOMETER] == 77_000
    assert latest(readings)[OIL_LIFE] == 50.0
    assert {header for header, request in elm.asked if request[0] == 0x22} == {"6A0", "7E0"}


def _with(uds: UdsUnit, obd: object) -> object:
    """A unit that answers both."""

    def respond(request: bytes, now: object, *, is_functional: bool) -> bytes | None:
        if request[0] == 0x22 and not is_functional:
            return uds.respond(request, now)
        return obd(request, now, is_functional=is_functional)

    return respond


@pytest.mark.parametrize("protocol", [3, 7])
async def test_units_of_another_kind_of_bus_are_not_asked(protocol: int) -> None:
    elm = with_cluster(protocol)
    async with served(elm) as table:
        source = open_source(table | {"profile": PROFILE})
        await collect_until(source.readings(), has(paths.VIN, paths.RPM, paths.DTC_PENDING))
    assert {request[0] for _, request in elm.asked} <= {0x01, 0x03, 0x07, 0x09, 0x0A}


async def test_units_that_do_not_answer_are_no_ignition_off(tmp_path: Path) -> None:
    reads = SECOND.partition("[[read]]")[2].partition("[[read]]")[0]
    more = "".join(
        "[[read]]" + reads.replace("30 01", f"30 {n:02X}").replace("3001", f"30{n:02X}") for n in range(8)
    )
    (tmp_path / "silent.toml").write_text(SECOND.partition("[[read]]")[0] + more)
    elm = adapter_in([])
    async with served(elm) as table:
        source = open_source(table | {"profile": str(tmp_path / "silent.toml")})
        readings = await collect_until(
            source.readings(), lambda _: sum(request[0] == 0x22 for _, request in elm.asked) >= 8
        )
    told = [reading.value for reading in readings if reading.signal == paths.SYSTEM_STATE]
    assert told == ["ON"]
    assert int(source.status()["silences"]) >= 7
    assert source.status()["state"] == "reading"


@pytest.mark.parametrize("seed", range(3))
async def test_a_wild_line_brings_nothing_of_a_unit_that_it_did_not_say(seed: int) -> None:
    elm = with_cluster()
    wild = replace(WILD, delay=0.0)
    async with served(elm, Chaos(Random(seed), wild)) as table:
        options = SessionOptions(library=open_library(PROFILE), times=QUICK)
        source = Elm327Source(
            port_opener(str(table["port"]), 38_400), Backoff(lambda: 0.0, 0.01, 0.05), options
        )
        readings = await collect_until(source.readings(), has(paths.ODOMETER, PAD_WEAR))
    assert {r.value for r in readings if r.signal == paths.ODOMETER} == {ODOMETER_M}
    assert {r.value for r in readings if r.signal == PAD_WEAR} == {0}
    assert {request[0] for _, request in elm.asked} <= {0x01, 0x03, 0x07, 0x09, 0x0A, 0x22}

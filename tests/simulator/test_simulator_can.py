"""The simulated car on CAN, asked by testers that others wrote: can-isotp and udsoncan."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import can
import isotp
import pytest
import udsoncan
from udsoncan.client import Client
from udsoncan.connections import PythonIsoTpConnection
from udsoncan.exceptions import NegativeResponseException

from milepost_simulator.car.bus_chaos import WILD_BUS, BusChaos
from milepost_simulator.car.can_unit import CanFrame
from milepost_simulator.car.slcan import Slcan
from milepost_simulator.clock import ManualClock
from support.can_cars import VIN, on_can, on_virtual, standing_car
from support.cars import START_S

if TYPE_CHECKING:
    from collections.abc import Callable


def ask(channel: str, request_id: int, response_id: int, talk: Callable[[Client], object]) -> object:
    """Talk as a workshop's tester would; in a thread of its own."""
    bus = can.Bus(interface="virtual", channel=channel)
    address = isotp.Address(isotp.AddressingMode.Normal_11bits, txid=request_id, rxid=response_id)
    stack = isotp.CanStack(bus=bus, address=address, params={"blocking_send": False})
    config = {**udsoncan.configs.default_client_config, "data_identifiers": {"default": ">5s", 0x2001: ">I"}}
    try:
        with Client(PythonIsoTpConnection(stack), request_timeout=10, config=config) as client:
            return talk(client)
    finally:
        bus.shutdown()


def codes(client: Client) -> list[tuple[int, int]]:
    answer = client.get_dtc_by_status_mask(0xFF)
    return [(dtc.id, dtc.status.get_byte_as_int()) for dtc in answer.service_data.dtcs]


async def test_a_tester_reads_data_and_codes_and_is_refused_what_writes() -> None:
    car = on_can(standing_car())
    async with on_virtual(car) as choice:

        def cluster(client: Client) -> object:
            return client.read_data_by_identifier(0x2001).service_data.values[0x2001], codes(client)

        odometer, found = await asyncio.to_thread(ask, choice.channel, 0x720, 0x728, cluster)
        assert odometer == (482_189,)
        assert found == [(0xC10087, 0x08)]
        assert await asyncio.to_thread(ask, choice.channel, 0x7E0, 0x7E8, codes) == [
            (0x030100, 0x89),
            (0x042000, 0x04),
        ]
        for write in (
            lambda client: client.clear_dtc(),
            lambda client: client.change_session(3),
            lambda client: client.read_data_by_identifier(0x9999),
        ):
            with pytest.raises(NegativeResponseException):
                await asyncio.to_thread(ask, choice.channel, 0x720, 0x728, write)
    assert all(unit.requests for unit in car.units[::2])


async def test_a_long_answer_obeys_block_size_and_separation() -> None:
    car = on_can(standing_car())
    async with on_virtual(car) as choice:
        bus = can.Bus(interface="virtual", channel=choice.channel)
        address = isotp.Address(isotp.AddressingMode.Normal_11bits, txid=0x7E0, rxid=0x7E8)
        stack = isotp.CanStack(bus=bus, address=address, params={"blocksize": 1, "stmin": 5})
        stack.start()
        stack.send(bytes.fromhex("0902"))
        answer = await asyncio.to_thread(stack.recv, True, 10)
        stack.stop()
        bus.shutdown()
    assert answer == b"\x49\x02\x01" + VIN.encode()
    flows = [frame for frame in car.heard if frame.data[0] == 0x30]
    assert len(flows) == 2


def test_an_adapter_speaks_only_when_it_is_open_and_takes_nothing_when_it_only_listens() -> None:
    adapter, frame = Slcan(), CanFrame(0x7E8, False, bytes.fromhex("0341"))
    assert adapter.line(frame) == b""
    assert adapter.feed(b"t7DF2" + b"0103\r") == (b"\a", [])
    assert adapter.feed(b"S6\rO\r") == (b"\r\r", [])
    assert adapter.line(frame) == b"t7E820341\r"
    assert adapter.line(CanFrame(0x18DAF110, True, b"")) == b"T18DAF1100\r"
    assert adapter.feed(b"t7DF20103\rT18DB33F1101\r") == (
        b"z\rZ\r",
        [CanFrame(0x7DF, False, b"\x01\x03"), CanFrame(0x18DB33F1, True, b"\x01")],
    )
    assert adapter.feed(b"C\rL\rt7DF20103\r") == (b"\r\r\a", [])
    for garbage in (b"tXYZ1\r", b"t7DF9\r", b"t7DF20\r", b"t\r", b"#\r", bytes(range(128, 256)) + b"\r"):
        assert adapter.feed(garbage) == (b"\a", [])
    assert adapter.refused == 8


def test_mishaps_repeat_by_seed_and_spare_what_a_car_says_by_itself() -> None:
    answer, said = CanFrame(0x7E8, False, bytes.fromhex("2101020304050607")), CanFrame(272, False, bytes(8))
    runs = []
    for _ in range(2):
        chaos = BusChaos(Random(5), WILD_BUS)
        runs.append([chaos.spoil(answer) for _ in range(500)])
        assert [chaos.spoil(said) for _ in range(50)] == [[said]] * 50
    assert runs[0] == runs[1]
    assert set(chaos.mishaps) == set(WILD_BUS.__dataclass_fields__)
    assert all(chaos.mishaps.values())


def test_a_car_with_ignition_off_says_nothing_after_a_while_and_counts_who_wakes_it() -> None:
    standing, clock = standing_car(), ManualClock(START_S)
    car = on_can(standing)
    assert {frame.number for frame in car.due(clock.now_s())} == {272, 288, 0x19000000}
    standing.turn_off()
    assert {frame.number for frame in car.due(START_S + 1.0)} == {0x19000000}
    assert car.due(START_S + 10.0) == []
    car.hear(CanFrame(0x7DF, False, bytes.fromhex("020100")), START_S + 11.0)
    assert car.woken == 1
    assert car.due(START_S + 12.0) == []

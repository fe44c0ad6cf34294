"""What an adapter is given: nothing that could make it do more than read, on a bad line either."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent.errors import AdapterError, ReadOnlyError
from milepost_agent.sources.elm327.adapter import Adapter, AdapterTimes
from milepost_agent.sources.elm327.commands import (
    ECHO,
    FIXED,
    FRAMED,
    SPOIL,
    CommandGate,
    parse_protocol,
    turn_back,
    turn_to,
)
from milepost_agent.sources.obd.addresses import can_id
from milepost_agent.sources.obd.pids import requests
from milepost_agent.sources.obd.readonly import check_request
from milepost_agent.vehicles.profile import Unit
from milepost_simulator.car.ecu import EcuModel
from milepost_simulator.car.elm327 import PROMPTLY, Addressed, Elm327
from milepost_simulator.car.uds import UdsModel, UdsUnit
from milepost_simulator.clock import ManualClock
from support.cars import START_S, StandingCar
from support.elm_ports import DirectPort

SOURCES = Path(__file__).resolve().parents[2] / "agent" / "src" / "milepost_agent" / "sources" / "elm327"
CLUSTER = Unit("cluster", can_id(0x720), can_id(0x728))
BODY = Unit("body", can_id(0x6A0), can_id(0x6B2))
FAR = Unit("far", can_id(0x18DA40F1), can_id(0x18DAF140))
UNITS = (CLUSTER, BODY, FAR)
GATE = CommandGate(UNITS)
QUICK = AdapterTimes(1.0, 1.0, 1.0, 1.0, echo_s_max=0.005, quiet_s=0.002, drain_s_max=0.5)
LONG = bytes(range(30))


def uds(data: bytes) -> UdsUnit:
    return UdsUnit(UdsModel(data={0x2001: lambda _: data}))


def simulated(car: StandingCar, protocol: int = 6) -> Elm327:
    is_extended = protocol in (7, 9)
    others = [
        Addressed(u.request.number, u.response.number, uds(LONG))
        for u in UNITS
        if u.request.is_extended is is_extended
    ]
    engine = EcuModel(clears_codes=True)
    clock = ManualClock(START_S)
    return Elm327(car, clock, models=(engine,), others=others, protocol=protocol, timing=PROMPTLY)


async def opened(elm: Elm327, protocol: str = "0") -> tuple[Adapter, DirectPort]:
    port = DirectPort(elm)
    adapter = Adapter(port, QUICK, GATE)
    await adapter.initialise(protocol)
    await adapter.request("0100", search=True)
    return adapter, port


@given(st.one_of(st.text(max_size=12), st.from_regex(r"AT[A-Z]{1,4}[0-9A-F]{0,8}", fullmatch=True)))
@example("ATMA")
@example("ATCAF0")
@example("ATSW92")
@example("ATBI")
@example("ATPP0CSV08")
@example("ATSH7E0")
@example("ATWMC133F13E")
@example("ATRTR")
@example("010C")
@example("01 0C")
@example("010C\r04")
@example("0420")
@example("010C1")
@example("\u0664")
def test_what_may_be_written_is_a_known_command_or_a_request_that_reads(line: str) -> None:
    try:
        GATE.check(line)
    except ReadOnlyError:
        return
    addresses = {line for unit in UNITS for line in (*turn_to(unit), *turn_back(is_extended=unit is FAR))}
    if line not in FIXED | addresses and line not in {f"ATSP{n}" for n in "0123456789ABC"}:
        assert line == bytes.fromhex(line).hex().upper()
        check_request(bytes.fromhex(line))


@pytest.mark.parametrize(
    "line", ["ATMA", "ATCAF0", "ATSW92", "ATBI", "ATWMC133F13E", "ATRTR", "ATSH7E0", "04"]
)
async def test_nothing_else_reaches_the_port(line: str) -> None:
    elm = simulated(StandingCar())
    adapter, port = await opened(elm)
    port.written.clear()
    with pytest.raises(ReadOnlyError, match="not sent"):
        await adapter.request(line)
    assert port.written == []


def test_addresses_are_those_of_the_profiles_units_alone() -> None:
    assert GATE.check("ATSH720") == "ATSH720"
    with pytest.raises(ReadOnlyError):
        CommandGate().check("ATSH720")
    assert turn_to(FAR)[:3] == ("ATCP18", "ATSHDA40F1", "ATCRA18DAF140")
    assert turn_back(is_extended=True)[-2:] == ("ATCP18", "ATSHDB33F1")


def test_one_module_writes_to_the_port_and_one_line_of_it_writes_what_is_no_constant() -> None:
    writes = []
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("port.write"):
                writes.append((path.name, ast.unparse(node.args[0])))
    assert sorted(set(writes)) == [
        ("adapter.py", "RETURN"),
        ("adapter.py", "self.gate.check(command).encode('ascii')"),
    ]


def losses(line: bytes, count: int) -> list[bytes]:
    """All that may arrive of a line that loses so many characters."""
    return [bytes(kept) for kept in itertools.combinations(line, len(line) - count)]


def damaging(sent: bytes, arrives: bytes) -> Callable[[bytes], bytes]:
    """A line on which the first that is written so arrives otherwise."""
    todo = [arrives]
    return lambda data: todo.pop() if data == sent and todo else data


LINES = [request.command for request in requests()] + [f"01{mask:02X}" for mask in range(0x20, 0xE0, 0x20)]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_line_that_loses_characters_is_never_carried_out(count: int) -> None:
    car = StandingCar()
    elm = simulated(car)
    adapter, port = await opened(elm)
    assert adapter.echoes
    for command in LINES:
        for arrives in losses(command.encode(), min(count, len(command))):
            port.line = damaging(command.encode(), arrives)
            elm.asked.clear()
            mangled = adapter.mangled
            await adapter.request(command)
            assert [request.hex().upper() for _, request in elm.asked] == [command]
            assert adapter.mangled == mangled + 1
    assert car.clearings == 0


async def test_without_the_echo_such_a_line_would_clear_codes() -> None:
    """Why lines are looked at: the adapter takes 042 for service 04, with two answers expected."""
    car = StandingCar()
    elm = simulated(car)
    adapter, port = await opened(elm)
    adapter.echoes = False
    port.line = lambda data: data.replace(b"0142", b"042")
    await adapter.request("0142")
    assert car.clearings == 1


async def test_a_line_that_is_always_damaged_is_given_up() -> None:
    car = StandingCar()
    elm = simulated(car)
    adapter, port = await opened(elm)
    port.line = lambda data: data.replace(b"0142", b"042")
    with pytest.raises(AdapterError, match="arrives damaged"):
        await adapter.request("0142")
    assert car.clearings == 0


async def test_half_a_line_is_spoiled_before_the_next_one_is_typed() -> None:
    elm = simulated(StandingCar())
    adapter, port = await opened(elm)
    port.line = damaging(b"\r", b"")
    assert await adapter._ask("0142", 0.01) == ""
    elm.asked.clear()
    await adapter.request("010C")
    assert [request.hex().upper() for _, request in elm.asked] == ["010C"]
    assert SPOIL.encode() in port.written


@pytest.mark.parametrize("protocol", [3, 4, 5])
async def test_an_adapter_sends_no_keep_alives_on_a_bus_before_can(protocol: int) -> None:
    elm = simulated(StandingCar(), protocol)
    elm.feed(b"0100\r")
    assert elm.keeps_alive, "as it comes, it does"
    adapter, _ = await opened(elm)
    assert not elm.keeps_alive
    assert adapter.unknown_settings == []


@pytest.mark.parametrize("refused", [ECHO, FRAMED])
async def test_an_adapter_that_refuses_what_keeps_it_safe_is_not_used(refused: str) -> None:
    elm = simulated(StandingCar())
    run = elm.execute
    elm.execute = lambda line: run("ATNEVER" if line == refused else line)
    port = DirectPort(elm)
    with pytest.raises(AdapterError, match="no ELM327"):
        await Adapter(port, QUICK).initialise("0")
    assert elm.bus_requests == 0


@pytest.mark.parametrize(("protocol", "units"), [(6, (CLUSTER, BODY)), (7, (FAR,))])
async def test_a_unit_is_asked_alone_and_all_others_afterwards(
    protocol: int, units: tuple[Unit, ...]
) -> None:
    elm = simulated(StandingCar(), protocol)
    adapter, port = await opened(elm)
    before = await adapter.request("010C")
    for unit in (*units, *units):
        text = await adapter.request("222001", unit)
        assert LONG[-2:].hex().upper() in text, "the end of a long answer"
        assert elm.asked[-1][0] == str(unit.request)[-6:]
        written = len(port.written)
        await adapter.request("222001", unit)
        assert len(port.written) == written + 2, "a unit that is asked again is not turned to again"
        assert await adapter.request("010C") == before
        assert elm.asked[-1][0] in ("7DF", "DB33F1")


async def test_a_unit_that_cannot_be_turned_to_is_not_asked_and_all_are_asked_again() -> None:
    elm = simulated(StandingCar())
    adapter, port = await opened(elm)
    port.line = lambda data: data.replace(b"ATFCSM1", b"ATNEVER")
    adapter.echoes = False
    elm.asked.clear()
    assert await adapter.request("222001", CLUSTER) == ""
    assert list(elm.asked) == []
    assert adapter.unknown_settings == ["ATFCSM1"]
    assert "410C" in await adapter.request("010C")
    assert elm.asked[-1][0] == "7DF"


async def test_an_adapter_that_does_not_turn_back_is_reset() -> None:
    elm = simulated(StandingCar())
    adapter, port = await opened(elm)
    await adapter.request("222001", CLUSTER)
    adapter.echoes = False
    port.line = lambda data: data.replace(b"ATAR", b"ATNEVER")
    with pytest.raises(AdapterError, match="all units cannot be asked"):
        await adapter.request("010C")


@pytest.mark.parametrize(
    ("line", "is_extended"),
    [
        ("A6", False),
        ("6", False),
        ("A7", True),
        ("9", True),
        ("A3", None),
        ("5", None),
        ("A0", None),
        ("", None),
    ],
)
def test_the_protocol_says_which_identifiers_there_are(line: str, is_extended: bool | None) -> None:
    assert parse_protocol(line) is is_extended

"""Nothing leaves for the bus that does more than read: by property, by table, and by who may send at all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent.errors import ReadOnlyError
from milepost_agent.sources.can.gate import (
    FOR_ALL,
    FOR_ONE,
    PADDING,
    Frame,
    Gate,
    flow_control,
    single_frame,
)
from milepost_agent.sources.can.questions import all_questions, route_to
from milepost_agent.sources.can.trouble import Trouble, detail_request
from milepost_agent.sources.elm327.adapter import Adapter, AdapterTimes
from milepost_agent.sources.obd.addresses import FUNCTIONAL, CanId, can_id
from milepost_agent.sources.obd.pids import requests
from milepost_agent.sources.obd.readonly import check_request
from milepost_agent.vehicles import load_profile, shipped_names
from milepost_agent.vehicles.profile import ExtendedRecord

SOURCES = Path(__file__).resolve().parents[2] / "agent" / "src" / "milepost_agent"
OPEN = Gate(diagnostics=True, units=[CanId(0x720)])
SHUT = Gate(diagnostics=False, units=[CanId(0x720)])
READING_SERVICES = {0x01, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22}
PAD = bytes((PADDING,))
SENDING = {"send", "send_periodic", "_send_periodic_internal", "write", "sendto", "sendmsg"}
"""All by which python-can, a socket or a serial port sends, whoever's method it is."""

ids = st.one_of(
    st.integers(0, 0x7FF).map(CanId),
    st.integers(0, 0x1FFF_FFFF).map(lambda number: CanId(number, is_extended=True)),
    st.sampled_from(sorted(FOR_ALL | FOR_ONE)),
    st.just(CanId(0x720)),
)
payloads = st.one_of(st.binary(max_size=8), st.binary(max_size=7).map(lambda p: bytes((len(p),)) + p))
frames = st.builds(Frame, ids, payloads.flatmap(lambda p: st.sampled_from([p, p.ljust(8, PAD)])))


def passes(gate: Gate, frame: Frame) -> bool:
    try:
        return gate.check(frame) is frame
    except ReadOnlyError:
        return False


@given(frames)
@example(single_frame(FUNCTIONAL, b"\x03"))
@example(single_frame(CanId(0x18DB33F1, is_extended=True), b"\x03"))
@example(flow_control(CanId(0x7E0), 1))
@example(flow_control(FUNCTIONAL, 1))
def test_what_passes_is_a_reading_request_or_flow_control_on_a_diagnostic_identifier(frame: Frame) -> None:
    if not passes(OPEN, frame):
        return
    standard = {0x720, 0x7DF, *range(0x7E0, 0x7E8)}
    if frame.id.is_extended:
        assert frame.id.number == 0x18DB33F1 or frame.id.number & 0x1FFF00FF == 0x18DA00F1
    else:
        assert frame.id.number in standard
    assert len(frame.data) == 8
    if frame.data[0] == 0x30:
        assert frame.id not in FOR_ALL
        assert frame.data[3:] == PAD * 5
        return
    size = frame.data[0]
    assert 1 <= size <= 7
    assert frame.data[1] in READING_SERVICES
    assert frame.data[1 + size :] == PAD * (7 - size)


@given(frames)
def test_a_gate_without_diagnostics_lets_nothing_through(frame: Frame) -> None:
    assert not passes(SHUT, frame)
    assert SHUT.is_shut


@given(st.binary(max_size=12))
@example(bytes.fromhex("04"))
@example(bytes.fromhex("14FFFFFF"))
@example(bytes.fromhex("1902FF"))
@example(bytes.fromhex("1902FF00"))
@example(bytes.fromhex("22F190F191"))
def test_any_request_that_passes_has_a_reading_service_and_its_length(request_bytes: bytes) -> None:
    try:
        check_request(request_bytes)
    except ReadOnlyError:
        return
    service, length = request_bytes[0], len(request_bytes)
    lengths = {0x01: 2, 0x03: 1, 0x07: 1, 0x09: 2, 0x0A: 1, 0x22: 3}
    if service == 0x19:
        assert (request_bytes[1], length) in ((0x02, 3), (0x06, 6))
    else:
        assert lengths[service] == length


def test_every_other_service_is_refused_whatever_follows() -> None:
    for service in set(range(256)) - READING_SERVICES:
        for rest in range(7):
            with pytest.raises(ReadOnlyError, match="not sent"):
                OPEN.check(single_frame(CanId(0x7E0), bytes((service,)) + bytes(rest)))


def test_all_that_the_agent_asks_passes() -> None:
    for request in requests():
        assert passes(OPEN, single_frame(FUNCTIONAL, bytes.fromhex(request.command)))
    for profile in map(load_profile, shipped_names()):
        gate = Gate(diagnostics=True, units=[unit.request for unit in profile.units])
        for question in all_questions(profile, None, 0.0):
            target = route_to(question.unit).target
            assert passes(gate, single_frame(target, bytes.fromhex(question.command)))
        for unit in profile.units:
            detail = detail_request(Trouble(b"\x03\x01\x00", 0x08), ExtendedRecord(1, 0))
            assert passes(gate, single_frame(unit.request, detail))
            assert passes(gate, flow_control(unit.request, 1))


def test_a_unit_of_no_profile_is_not_asked() -> None:
    request = bytes.fromhex("22F190")
    assert passes(OPEN, single_frame(can_id(0x720), request))
    assert not passes(Gate(diagnostics=True), single_frame(can_id(0x720), request))


async def test_an_adapter_is_held_to_the_same() -> None:
    class Nobody:
        async def write(self, data: bytes) -> None:
            raise AssertionError(f"{data!r} was sent")

    with pytest.raises(ReadOnlyError, match="not sent"):
        await Adapter(Nobody(), AdapterTimes()).request("04")


def test_one_module_loads_python_can_and_one_line_sends() -> None:
    loaders, senders = set(), []
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(SOURCES))
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            if any(module.split(".")[0] in ("can", "isotp", "udsoncan") for module in modules):
                loaders.add(name)
            if isinstance(node, ast.Attribute) and node.attr in SENDING and name.startswith("sources/can/"):
                senders.append(f"{name} {ast.unparse(node)}")
    assert loaders == {"sources/can/bus.py"}
    # The bus of python-can in the one place behind the gate; our own bus, which is that place, from the line.
    assert sorted(senders) == [
        "sources/can/bus.py self._bus.send",
        *["sources/can/line.py self._bus.send"] * 2,
    ]

"""One exchange on CAN: answers of several units, long ones, pending ones, and everything that goes wrong."""

from __future__ import annotations

import isotp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent.sources.can.exchange import PENDINGS_MAX, WHOLE_S_MAX, Exchange, ExchangeTimes, Route
from milepost_agent.sources.can.gate import Frame, Gate
from milepost_agent.sources.can.questions import MISSES_MAX, Addressing
from milepost_agent.sources.obd.addresses import FUNCTIONAL, OBD_STANDARD, CanId

TIMES = ExchangeTimes(answer_s_max=0.5, others_s_max=0.1, frame_s_max=1.0, pending_s_max=5.0)
ENGINE, GEARS = CanId(0x7E8), CanId(0x7E9)
TO_ALL = Route(FUNCTIONAL, OBD_STANDARD)
TO_ENGINE = Route(CanId(0x7E0), {ENGINE: CanId(0x7E0)}, frozenset({ENGINE}))
RPM = bytes.fromhex("010C")


def answer(unit: CanId, hexadecimal: str) -> Frame:
    return Frame(unit, bytes.fromhex(hexadecimal).ljust(8, b"\xaa"))


def test_a_unit_that_was_asked_alone_ends_it_with_its_answer() -> None:
    exchange = Exchange(RPM, TO_ENGINE, TIMES, 0.0)
    assert exchange.frame == Frame(CanId(0x7E0), bytes.fromhex("02010CCCCCCCCCCC"))
    assert exchange.wait_s(0.2) == pytest.approx(0.3)
    assert exchange.feed(answer(ENGINE, "04410C1770"), 0.2) is None
    assert exchange.is_over(0.2)
    assert [m.payload for m in exchange.reply().messages] == [bytes.fromhex("410C1770")]


def test_all_are_waited_for_a_little_after_the_last_answer_and_no_longer_once_they_are_known() -> None:
    exchange = Exchange(RPM, TO_ALL, TIMES, 0.0)
    exchange.feed(answer(ENGINE, "04410C1770"), 0.01)
    assert not exchange.is_over(0.10)
    exchange.feed(answer(GEARS, "04410C1771"), 0.10)
    assert exchange.wait_s(0.10) == pytest.approx(0.1)
    assert exchange.is_over(0.21)
    known = Exchange(RPM, Route(FUNCTIONAL, OBD_STANDARD, exchange.responders), TIMES, 0.0)
    known.feed(answer(GEARS, "04410C1771"), 0.01)
    assert known.wait_s(0.01) == pytest.approx(0.49)
    known.feed(answer(ENGINE, "04410C1770"), 0.02)
    assert known.is_over(0.02)
    assert known.reply().garbled == 0


def test_a_unit_that_is_missing_spoils_a_list_until_it_was_missed_too_often() -> None:
    addressing = Addressing()
    addressing.learn("03", frozenset({ENGINE, GEARS}))
    for _ in range(MISSES_MAX):
        exchange = Exchange(b"\x03", addressing.route_to_all("03"), TIMES, 0.0)
        exchange.feed(answer(ENGINE, "024300"), 0.01)
        assert not exchange.is_over(0.4)
        assert exchange.is_over(0.5)
        assert exchange.reply().garbled == 1
        addressing.learn("03", exchange.responders)
    assert addressing.route_to_all("03").expected == {ENGINE}


def test_a_long_answer_is_let_come_frame_by_frame() -> None:
    exchange = Exchange(bytes.fromhex("0902"), TO_ALL, TIMES, 0.0)
    flow = exchange.feed(answer(ENGINE, "1014490201584D50"), 0.01)
    assert flow == Frame(CanId(0x7E0), bytes.fromhex("300001CCCCCCCCCC"))
    assert exchange.wait_s(0.01) == pytest.approx(1.0)
    assert exchange.feed(answer(ENGINE, "2143303030303030"), 0.9) is None
    assert not exchange.is_over(1.5)
    exchange.feed(answer(ENGINE, "2230303030303432"), 1.6)
    assert exchange.is_over(1.75)
    assert exchange.reply().messages[0].payload == b"\x49\x02\x01XMPC0000000000042"


def test_patience_is_given_as_often_as_is_bearable() -> None:
    exchange = Exchange(bytes.fromhex("222001"), TO_ENGINE, TIMES, 0.0)
    now_s = 0.0
    for _ in range(PENDINGS_MAX):
        now_s += 4.5
        exchange.feed(answer(ENGINE, "037F2278"), now_s)
        assert not exchange.is_over(now_s + 4.5)
    exchange.feed(answer(ENGINE, "037F2278"), now_s)
    assert exchange.is_over(now_s + 0.01)
    assert exchange.pendings == PENDINGS_MAX + 1
    assert exchange.reply().is_silence


def test_a_refusal_ends_it_and_a_late_or_double_answer_is_a_stray() -> None:
    exchange = Exchange(RPM, TO_ENGINE, TIMES, 0.0)
    exchange.feed(answer(ENGINE, "03410D32"), 0.01)
    assert not exchange.is_over(0.01)
    exchange.feed(answer(ENGINE, "037F0112"), 0.02)
    assert exchange.is_over(0.02)
    assert [(r.ecu, r.code) for r in exchange.reply().refusals] == [("7E8", 0x12)]
    twice = Exchange(RPM, TO_ALL, TIMES, 0.0)
    for _ in range(2):
        twice.feed(answer(ENGINE, "04410C1770"), 0.01)
    assert (twice.strays, exchange.strays, len(twice.reply().messages)) == (1, 1, 1)


@pytest.mark.parametrize(
    "frames",
    [
        ["1014490201584D50"],
        ["1014490201584D50", "2230303030303432"],
        ["1014490201584D50", "2143303030303030", "2143303030303030", "2230303030303432"],
        ["2143303030303030"],
        ["10054902015858"],
        ["0F490201"],
        ["00"],
        ["40490201"],
    ],
)
def test_half_doubled_or_impossible_frames_are_no_answer_and_are_counted(frames: list[str]) -> None:
    exchange = Exchange(bytes.fromhex("0902"), TO_ENGINE, TIMES, 0.0)
    for frame in frames:
        exchange.feed(Frame(ENGINE, bytes.fromhex(frame)), 0.01)
    reply = exchange.reply()
    assert reply.messages == ()
    assert reply.garbled >= 1
    assert exchange.is_over(1.02)


units = st.sampled_from([ENGINE, GEARS, CanId(0x7EF), CanId(0x123), CanId(0x18DAF110, is_extended=True)])
noise = st.one_of(
    st.binary(max_size=8),
    st.builds(
        lambda head, rest: (head + rest)[:8],
        st.sampled_from(
            [
                bytes.fromhex(h)
                for h in ("037F0178", "04410C", "1014", "0902", "21", "22", "300001", "037F0112")
            ]
        ),
        st.binary(max_size=8),
    ),
)


@given(st.lists(st.tuples(units, noise, st.floats(0.0, 2.0)), max_size=60))
@example([(ENGINE, bytes.fromhex("04410C1AF8555555"), 0.0)])
def test_whatever_is_heard_it_ends_in_time_and_sends_nothing_but_flow_control(
    heard: list[tuple[CanId, bytes, float]],
) -> None:
    exchange, gate = Exchange(RPM, TO_ALL, TIMES, 0.0), Gate(diagnostics=True)
    now_s = 0.0
    for unit, data, pause_s in heard:
        now_s += pause_s
        flow = exchange.feed(Frame(unit, data), now_s)
        if flow is not None:
            assert flow.data[0] == 0x30
            gate.check(flow)
    assert exchange.wait_s(now_s) <= TIMES.pending_s_max + 1e-6
    assert exchange.is_over(WHOLE_S_MAX)
    reply = exchange.reply()
    assert all(message.payload.startswith(b"\x41\x0c") for message in reply.messages)
    assert len({message.ecu for message in reply.messages}) == len(reply.messages)


@given(st.binary(min_size=1, max_size=1_500))
def test_understands_what_another_implementation_sends(data: bytes) -> None:
    """can-isotp as the unit: it cuts the answer, obeys our flow control, and must be satisfied with it."""
    payload = b"\x62\x20\x01" + data
    exchange = Exchange(bytes.fromhex("222001"), TO_ENGINE, TIMES, 0.0)
    to_unit, from_unit, errors = [], [], []
    unit = isotp.TransportLayerLogic(
        rxfn=lambda timeout: to_unit.pop(0) if to_unit else None,
        txfn=from_unit.append,
        address=isotp.Address(isotp.AddressingMode.Normal_11bits, rxid=0x7E0, txid=0x7E8),
        error_handler=errors.append,
        params={"override_receiver_stmin": 0.0, "tx_padding": 0xAA},
    )
    to_unit.append(isotp.CanMessage(0x7E0, data=exchange.frame.data))
    unit.process()
    assert unit.recv() == bytes.fromhex("222001")
    unit.send(payload)
    for _ in range(len(payload)):
        unit.process()
        if not from_unit:
            break
        for message in from_unit:
            flow = exchange.feed(Frame(ENGINE, bytes(message.data)), 0.1)
            if flow is not None:
                to_unit.append(isotp.CanMessage(0x7E0, data=flow.data))
        from_unit.clear()
    assert [message.payload for message in exchange.reply().messages] == [payload]
    assert exchange.is_over(0.1)
    assert errors == []

"""ISO-TP: what one side cuts into frames, the other puts together, or drops whole."""

from __future__ import annotations

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent.sources.obd.isotp import reassemble

PAYLOADS = st.binary(min_size=1, max_size=400)


def frames(payload: bytes) -> list[bytes]:
    if len(payload) <= 7:
        return [bytes([len(payload)]) + payload]
    first = (0x1000 | len(payload)).to_bytes(2, "big") + payload[:6]
    rest = payload[6:]
    parts = [rest[i : i + 7] for i in range(0, len(rest), 7)]
    return [first, *(bytes([0x20 | (n + 1) % 16]) + part.ljust(7, b"\xaa") for n, part in enumerate(parts))]


@given(PAYLOADS)
def test_puts_a_message_together(payload: bytes) -> None:
    assert reassemble([("7E8", f) for f in frames(payload)]) == ([("7E8", payload)], 0)


@given(PAYLOADS, PAYLOADS, st.randoms(use_true_random=False))
def test_tells_two_ecus_apart_in_any_interleaving(one: bytes, two: bytes, rng: Random) -> None:
    queues = {"7E8": frames(one), "7E9": frames(two)}
    mixed = []
    while any(queues.values()):
        ecu = rng.choice([name for name, queue in queues.items() if queue])
        mixed.append((ecu, queues[ecu].pop(0)))
    payloads, broken = reassemble(mixed)
    assert sorted(payloads) == sorted([("7E8", one), ("7E9", two)])
    assert broken == 0


@given(st.binary(min_size=8, max_size=100), st.data())
def test_a_lost_or_doubled_frame_costs_the_whole_message(payload: bytes, data: st.DataObject) -> None:
    whole = frames(payload)
    place = data.draw(st.integers(0, len(whole) - 1))
    without = whole[:place] + whole[place + 1 :]
    payloads, broken = reassemble([("7E8", f) for f in without])
    assert payloads == []
    assert broken >= 1
    doubled = [*whole[: place + 1], *whole[place:]]
    payloads, broken = reassemble([("7E8", f) for f in doubled])
    assert payloads in ([], [("7E8", payload)])
    assert broken >= 1


@given(st.lists(st.tuples(st.sampled_from(["7E8", "7E9"]), st.binary(max_size=12)), max_size=30))
@example([("7E8", bytes.fromhex("04410C1AF8000000")), ("7E9", bytes.fromhex("00410C"))])
def test_any_frames_give_payloads_or_are_counted(raw: list[tuple[str, bytes]]) -> None:
    payloads, broken = reassemble(raw)
    assert len(payloads) + broken <= len(raw) + len({ecu for ecu, _ in raw})
    assert all(payload for _, payload in payloads)


def test_flow_control_is_passed_over() -> None:
    assert reassemble([("7E8", bytes.fromhex("300000"))]) == ([], 0)

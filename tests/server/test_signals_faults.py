"""Trouble codes: what a stream of events adds up to."""

from __future__ import annotations

import pytest

from milepost_server.signals.faults import FaultEvent, FaultStatus, parse_fault
from support.one_car_faults import Fault, current_faults


def faults(*events: tuple[str, int | None]) -> list[Fault]:
    parsed = [parse_fault(text, time_ms) for text, time_ms in events]
    return current_faults(event for event in parsed if event is not None)


def test_the_last_word_on_a_code_is_its_status_and_the_first_one_its_beginning() -> None:
    (fault,) = faults(("P0301 pending", 100), ("P0301 confirmed", 200), ("P0301 confirmed", 300))
    assert fault == Fault("P0301", FaultStatus.CONFIRMED, 100, 300)
    assert fault.is_active


def test_a_code_that_comes_back_begins_anew() -> None:
    (fault,) = faults(("P0301 confirmed", 100), ("P0301 cleared", 200), ("P0301 pending", 300))
    assert fault == Fault("P0301", FaultStatus.PENDING, 300, 300)


def test_a_cleared_code_stands_last_and_keeps_its_times() -> None:
    found = faults(
        ("P0420 confirmed", 100), ("P0420 cleared", 200), ("P0301 pending", 50), ("C0035 confirmed", 60)
    )
    assert [(fault.code, fault.is_active) for fault in found] == [
        ("C0035", True),
        ("P0301", True),
        ("P0420", False),
    ]
    assert (found[2].first_seen_ms, found[2].last_seen_ms) == (100, 200)


def test_order_is_that_of_the_stream_and_untrusted_times_are_no_times() -> None:
    (fault,) = faults(("P0301 confirmed", None), ("P0301 confirmed", 500), ("P0301 confirmed", None))
    assert fault == Fault("P0301", FaultStatus.CONFIRMED, 500, 500)


@pytest.mark.parametrize("text", ["", "P0301", "P0301 broken", "P301 pending", "P0301  pending"])
def test_what_is_no_event_is_none(text: str) -> None:
    assert parse_fault(text, 1) is None


def test_no_events_no_faults() -> None:
    assert current_faults([]) == []
    assert current_faults([FaultEvent("P0301", FaultStatus.CLEARED, 5)]) == [
        Fault("P0301", FaultStatus.CLEARED, 5, 5)
    ]

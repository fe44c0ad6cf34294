"""Trouble codes by UDS: against another implementation, and several units in one list."""

from __future__ import annotations

import pytest
import udsoncan
from hypothesis import given
from hypothesis import strategies as st
from udsoncan.services import ReadDTCInformation

from milepost_agent import paths
from milepost_agent.derive.faults import Faults
from milepost_agent.errors import ReplyError
from milepost_agent.readings import Reading
from milepost_agent.sources.can.questions import DETAILS_MAX, Details
from milepost_agent.sources.can.trouble import (
    CodeBook,
    CodesRead,
    Trouble,
    detail_request,
    detail_text,
    parse_counter,
    parse_troubles,
)
from milepost_agent.sources.obd.addresses import CanId
from milepost_agent.sources.obd.messages import Framing, Message
from milepost_agent.vehicles.profile import ExtendedRecord, Unit

UNIT = Unit(
    "engine", CanId(0x7E0), CanId(0x7E8), occurrences=ExtendedRecord(1, 0), ageing=ExtendedRecord(2, 0)
)
MISFIRE = Trouble(bytes.fromhex("030113"), 0x8D)
records = st.lists(st.tuples(st.integers(1, 0xFFFFFF), st.integers(0, 255)), max_size=40)


def answer(troubles: list[tuple[int, int]]) -> bytes:
    return b"\x59\x02\xff" + b"".join(code.to_bytes(3, "big") + bytes((status,)) for code, status in troubles)


@given(records)
def test_reads_the_codes_that_another_implementation_reads(troubles: list[tuple[int, int]]) -> None:
    payload = answer(troubles)
    theirs = ReadDTCInformation.interpret_response(
        udsoncan.Response.from_payload(payload), subfunction=2, tolerate_zero_padding=False
    )
    ours = parse_troubles(payload)
    assert [(int.from_bytes(t.raw, "big"), t.status) for t in ours] == troubles
    assert [(dtc.id, dtc.status.get_byte_as_int()) for dtc in theirs.service_data.dtcs] == [
        (int.from_bytes(t.raw, "big"), t.status) for t in ours
    ]
    (confirmed, pending) = CodesRead(UNIT).decode([Message("7E8", payload, Framing.CAN)])
    by_them = {dtc.id for dtc in theirs.service_data.dtcs if dtc.status.confirmed}
    assert set(str(confirmed[1]).split()) == {t.code for t in ours if int.from_bytes(t.raw, "big") in by_them}
    assert (confirmed[0], pending[0]) == (paths.DTC_CONFIRMED, paths.DTC_PENDING)


@given(st.binary(max_size=60))
def test_any_bytes_are_codes_or_no_answer(data: bytes) -> None:
    try:
        troubles = parse_troubles(b"\x59\x02" + data)
    except ReplyError:
        return
    assert all(len(trouble.code) == 5 for trouble in troubles)


def test_the_requests_are_those_of_another_implementation() -> None:
    theirs = ReadDTCInformation.make_request(subfunction=6, dtc=0x030113, extended_data_record_number=1)
    assert detail_request(MISFIRE, UNIT.occurrences) == theirs.get_payload()
    mask = udsoncan.Dtc.Status(
        test_failed=True, pending=True, confirmed=True, warning_indicator_requested=True
    )
    by_mask = ReadDTCInformation.make_request(subfunction=2, status_mask=mask)
    assert bytes.fromhex(CodesRead(UNIT).command) == by_mask.get_payload()


def test_a_counter_is_that_of_the_code_and_record_that_were_asked_for() -> None:
    record = ExtendedRecord(1, 1)
    assert parse_counter(MISFIRE, record, bytes.fromhex("59060301138D010005")) == 5
    for wrong in ("59060301128D010005", "59060301138D020005", "59060301138D0100", "5906"):
        with pytest.raises(ReplyError, match="no such record"):
            parse_counter(MISFIRE, record, bytes.fromhex(wrong))
    text = detail_text("engine", MISFIRE, {"occurrences": 5})
    assert text == "P0301-13 unit engine status 8D occurrences 5"


def test_details_are_wanted_once_for_each_status_and_are_bounded() -> None:
    details = Details()
    details.heard(UNIT, [MISFIRE])
    details.heard(UNIT, [MISFIRE])
    assert details.next() is not None
    assert details.next() is None
    details.heard(UNIT, [MISFIRE._replace(status=0x08)])
    assert details.next().trouble.status == 0x08
    details.heard(UNIT, [MISFIRE._replace(status=0x08 | 0x50)])
    assert details.next() is None, "bits that change with every start say nothing of the fault"
    details.heard(UNIT, [])
    details.heard(UNIT, [MISFIRE._replace(status=0x08)])
    assert details.next() is not None, "it was gone, and is back"
    details.heard(UNIT, [Trouble(n.to_bytes(3, "big"), 0x08) for n in range(10 * DETAILS_MAX)])
    waiting = 0
    while details.next() is not None:
        waiting += 1
    assert waiting == DETAILS_MAX
    details.refused(UNIT)
    details.heard(UNIT, [MISFIRE])
    assert details.next().counters == ()


def test_a_list_is_told_when_all_who_tell_it_were_heard_or_are_silent() -> None:
    book = CodeBook(
        [("03", paths.DTC_CONFIRMED), ("engine", paths.DTC_CONFIRMED), ("abs", paths.DTC_CONFIRMED)]
    )
    assert book.heard("03", paths.DTC_CONFIRMED, "P0301") is None
    assert book.heard("engine", paths.DTC_CONFIRMED, "P0301 U0100") is None
    assert book.silent("abs") == [(paths.DTC_CONFIRMED, "P0301 U0100")]
    assert book.silent("abs") == []
    assert book.heard("03", paths.DTC_CONFIRMED, "P0301") == "P0301 U0100"
    assert book.heard("abs", paths.DTC_CONFIRMED, "C1234") == "C1234 P0301 U0100"
    book.silent("abs")
    assert book.heard("03", paths.DTC_CONFIRMED, "") == "C1234 P0301 U0100", "silence is not health"
    assert book.heard("engine", paths.DTC_CONFIRMED, "") == "C1234"


def test_nobody_who_answers_is_no_list_without_codes() -> None:
    book = CodeBook([("03", paths.DTC_CONFIRMED), ("engine", paths.DTC_CONFIRMED)])
    assert book.silent("03") == []
    assert book.silent("engine") == []


def test_codes_that_two_ways_tell_are_not_cleared_by_taking_turns() -> None:
    book = CodeBook([("03", paths.DTC_CONFIRMED), ("engine", paths.DTC_CONFIRMED)])
    faults, events = Faults(), []
    for n in range(20):
        for origin, codes in (("03", "P0301"), ("engine", "P0301 U0100")):
            told = book.heard(origin, paths.DTC_CONFIRMED, codes)
            if told is not None:
                events += faults.feed(Reading(paths.DTC_CONFIRMED, told, float(n)))
    assert [event.value for event in events] == ["P0301 confirmed", "U0100 confirmed"]

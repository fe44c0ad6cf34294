"""Trouble codes: what is news, what is cleared, and what only moved from one list to another."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.derive.faults import DETAILS_MAX, Faults
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading

LISTS = (paths.DTC_CONFIRMED, paths.DTC_PENDING, paths.DTC_PERMANENT)


def read(faults: Faults, *sets: tuple[str, str]) -> list[object]:
    return [out.value for signal, codes in sets for out in faults.feed(Reading(signal, codes, 0.0))]


def test_codes_are_told_when_they_come_and_when_they_are_gone() -> None:
    faults = Faults()
    assert read(faults, (paths.DTC_CONFIRMED, "P0420 P0301")) == ["P0301 confirmed", "P0420 confirmed"]
    assert read(faults, (paths.DTC_CONFIRMED, "P0420 P0301")) == []
    assert read(faults, (paths.DTC_CONFIRMED, "P0420")) == []
    assert read(faults, (paths.DTC_CONFIRMED, "P0420")) == ["P0301 cleared"]
    assert read(faults, (paths.DTC_CONFIRMED, "P0420 P0301")) == ["P0301 confirmed"]


def test_a_code_that_matures_is_never_cleared_in_between() -> None:
    faults = Faults()
    assert read(faults, (paths.DTC_CONFIRMED, ""), (paths.DTC_PENDING, "P0301")) == ["P0301 pending"]
    assert read(faults, (paths.DTC_PENDING, "")) == []
    assert read(faults, (paths.DTC_CONFIRMED, "P0301"), (paths.DTC_PENDING, "")) == ["P0301 confirmed"]


def test_a_code_is_gone_when_every_list_was_read_without_it() -> None:
    faults = Faults()
    read(faults, *((name, "P0301") for name in LISTS))
    assert read(faults, (paths.DTC_CONFIRMED, ""), (paths.DTC_PENDING, "")) == []
    assert read(faults, (paths.DTC_PERMANENT, "")) == []
    assert read(faults, (paths.DTC_CONFIRMED, ""), (paths.DTC_PENDING, "")) == []
    assert read(faults, (paths.DTC_PERMANENT, "")) == []
    assert read(faults, (paths.DTC_CONFIRMED, ""), (paths.DTC_PENDING, "")) == ["P0301 cleared"]


def test_a_unit_that_missed_one_request_still_has_its_codes() -> None:
    faults = Faults()
    read(faults, (paths.DTC_CONFIRMED, "P0301 P0700"))
    assert read(faults, (paths.DTC_CONFIRMED, "P0301")) == []
    assert read(faults, *[(paths.DTC_CONFIRMED, "P0301 P0700")] * 3) == []


MISFIRE = "P0301-13 unit engine status 2F occurrences 3"


def test_what_a_unit_tells_of_a_code_is_news_once_also_after_a_restart() -> None:
    faults = Faults()
    assert read(faults, (paths.DTC_DETAIL, MISFIRE)) == [MISFIRE]
    again = Faults()
    again.restore(json.loads(json.dumps(faults.state())))
    for known in (faults, again):
        assert read(known, (paths.DTC_DETAIL, MISFIRE)) == []
        other_unit, other_status = MISFIRE.replace("engine", "gears"), MISFIRE.replace("2F", "2E")
        assert read(known, (paths.DTC_DETAIL, other_unit)) == [other_unit]
        assert read(known, (paths.DTC_DETAIL, other_status)) == [other_status]
        assert read(known, (paths.DTC_DETAIL, MISFIRE)) == [MISFIRE]


def test_a_code_that_was_cleared_and_comes_back_is_told_in_detail_again() -> None:
    faults = Faults()
    other = "U0100-87 unit cluster status 08"
    read(faults, (paths.DTC_CONFIRMED, "P0301 U0100"), (paths.DTC_DETAIL, MISFIRE), (paths.DTC_DETAIL, other))
    assert read(faults, *[(paths.DTC_CONFIRMED, "U0100")] * 2) == ["P0301 cleared"]
    read(faults, (paths.DTC_CONFIRMED, "P0301 U0100"))
    assert read(faults, (paths.DTC_DETAIL, MISFIRE), (paths.DTC_DETAIL, other)) == [MISFIRE]


def test_no_more_details_are_remembered_than_a_state_may_hold() -> None:
    faults = Faults()
    for n in range(2 * DETAILS_MAX):
        read(faults, (paths.DTC_DETAIL, f"P{n:04X}-00 unit engine status 08"))
    Faults().restore(faults.state())
    assert read(faults, (paths.DTC_DETAIL, "P0000-00 unit engine status 08")) != []


def test_what_was_known_is_no_news_after_a_restart() -> None:
    faults = Faults()
    read(faults, (paths.DTC_CONFIRMED, "P0301 P0420"))
    again = Faults()
    again.restore(json.loads(json.dumps(faults.state())))
    assert read(again, *[(paths.DTC_CONFIRMED, "P0301")] * 2) == ["P0420 cleared"]


def test_a_falling_distance_since_clearing_tells_of_a_clearing() -> None:
    faults = Faults()
    outs = [faults.feed(Reading(paths.DISTANCE_SINCE_CLEARED, km, float(km))) for km in (100, 101, 101, 0, 5)]
    assert [[(r.signal, r.value) for r in out] for out in outs] == [
        [],
        [],
        [],
        [(paths.CODES_CLEARED, True)],
        [],
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(LISTS), st.sets(st.sampled_from(["P0301", "P0420", "U0100"]))), max_size=60
    )
)
def test_events_tell_the_whole_story(reads: list[tuple[str, set[str]]]) -> None:
    faults = Faults()
    known: set[str] = set()
    events = [str(e) for signal, codes in reads for e in read(faults, (signal, " ".join(codes)))]
    for event in events:
        code, status = event.split(" ")
        assert status != "cleared" or code in known, "cleared, but never there"
        known = known - {code} if status == "cleared" else known | {code}
    # After quiet rounds everything that was there has been cleared, once.
    for _ in range(4):
        for signal in LISTS:
            for event in read(faults, (signal, "")):
                code, status = str(event).split(" ")
                assert status == "cleared"
                known.remove(code)
    assert known == set()


@pytest.mark.parametrize(
    "broken",
    [
        {"codes": 1},
        {"codes": {"odd": []}},
        {"codes": {"pending": [1]}},
        {"leaving": 1},
        {"leaving": {"P0301": []}},
    ],
)
def test_a_broken_state_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(EdgeStateError, match="faults"):
        Faults().restore(broken)

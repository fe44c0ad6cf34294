"""Faults of a fleet: what events add up to, what comes back, what was cleared before a visit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.faults.clearing import (
    ClearingRules,
    cleared_before_visit,
    clearings,
    falls,
)
from milepost_server.signals.faults.codes import CODES, NO_CODE, decode, encode
from milepost_server.signals.faults.events import STATUSES, FaultEvent, FaultStatus
from milepost_server.signals.faults.fleet import (
    CLEARED,
    CONFIRMED,
    PENDING,
    FaultEvents,
    FaultRules,
    FleetFaults,
    fleet_faults,
)
from milepost_server.signals.flat import offsets_of
from support.one_car_faults import Fault, current_faults

RULES = FaultRules()
KM = 1_000.0


def fleet(*vehicles: list[tuple[str, int, float, float]]) -> FaultEvents:
    """Vehicles with rows (code, status, day, km)."""
    rows = [row for vehicle in vehicles for row in vehicle]
    return FaultEvents(
        offsets=offsets_of(np.array([len(v) for v in vehicles], dtype=np.int64)),
        code=encode([row[0] for row in rows]),
        status=np.array([row[1] for row in rows], dtype=np.int64),
        time_d=np.array([row[2] for row in rows], dtype=np.float64),
        odometer_m=np.array([row[3] * KM for row in rows], dtype=np.float64),
    )


def one(faults: FleetFaults) -> dict[str, float]:
    assert len(faults.code) == 1
    return {name: getattr(faults, name)[0] for name in FleetFaults.__slots__ if name != "offsets"}


def by_loop(events: list[FaultEvent]) -> list[Fault]:
    """The same by hand, one event after the other: what `current_faults` has to agree with."""
    known: dict[str, list[FaultEvent]] = {}
    for event in events:
        rows = known.setdefault(event.code, [])
        if rows and rows[-1].status is FaultStatus.CLEARED and event.status is not FaultStatus.CLEARED:
            rows.clear()
        rows.append(event)
    found = []
    for code, rows in known.items():
        times = [row.time_ms for row in rows if row.time_ms is not None]
        found.append(Fault(code, rows[-1].status, times[0] if times else None, times[-1] if times else None))
    return sorted(found, key=lambda fault: (STATUSES.index(fault.status), fault.code))


@given(
    st.lists(
        st.builds(
            FaultEvent,
            st.sampled_from(["P0301", "P0420", "C0035"]),
            st.sampled_from(STATUSES),
            st.one_of(st.none(), st.integers(0, 2**53)),
        ),
        max_size=12,
    )
)
def test_arrays_say_what_a_loop_over_the_events_says(events: list[FaultEvent]) -> None:
    assert current_faults(events) == by_loop(events)


def test_a_code_that_came_back_tells_how_often_and_how_soon() -> None:
    faults = fleet_faults(
        fleet(
            [
                ("P0171", CONFIRMED, 10, 100),
                ("P0171", CLEARED, 20, 200),
                ("P0171", PENDING, 50, 900),
                ("P0171", CLEARED, 60, 1_000),
                ("P0171", CONFIRMED, 65, 1_150),
            ]
        ),
        RULES,
    )
    fault = one(faults)
    assert (fault["returns"], fault["back_after_d"], fault["back_after_m"]) == (2, 5, 150 * KM)
    assert (fault["first_seen_d"], fault["last_seen_d"], fault["status"]) == (65, 65, CONFIRMED)
    assert faults.recurring(RULES).tolist() == [1]


@pytest.mark.parametrize(
    ("day", "km", "returns"),
    [(385, 300, 1), (386, 300, 0), (30, 20_200, 1), (30, 20_201, 0), (np.nan, np.nan, 1)],
)
def test_what_comes_back_late_is_another_fault(day: float, km: float, returns: int) -> None:
    rows = [("P0171", CONFIRMED, 10.0, 100.0), ("P0171", CLEARED, 20.0, 200.0), ("P0171", CONFIRMED, day, km)]
    assert one(fleet_faults(fleet(rows), RULES))["returns"] == returns


def test_vehicles_do_not_see_each_others_codes_and_may_have_none() -> None:
    faults = fleet_faults(
        fleet(
            [],
            [("P0301", CLEARED, 5, 1), ("C0035", PENDING, 6, 1)],
            [],
            [("P0301", CONFIRMED, 7, 1)],
        ),
        RULES,
    )
    assert faults.offsets.tolist() == [0, 0, 2, 2, 3]
    assert [decode(int(code)) for code in faults.code] == ["P0301", "C0035", "P0301"]
    assert faults.returns.tolist() == [0, 0, 0]
    assert faults.is_active.tolist() == [False, True, True]
    assert faults.recurring(RULES).tolist() == [0, 0, 0, 0]


def test_no_vehicles_and_no_events_are_no_faults() -> None:
    assert len(fleet_faults(fleet(), RULES).code) == 0
    empty = fleet_faults(fleet([], []), RULES)
    assert (empty.offsets.tolist(), empty.recurring(RULES).tolist()) == ([0, 0, 0], [0, 0])


def test_codes_are_the_two_bytes_that_a_car_sends() -> None:
    texts = ["P0301", "C0035", "B3FFF", "U0100", "P2A0F"]
    assert encode(texts).tolist() == [0x0301, 0x4035, 0xBFFF, 0xC100, 0x2A0F]
    assert [decode(int(code)) for code in encode(texts)] == texts


@given(st.integers(0, CODES - 1))
def test_every_code_survives_its_text(code: int) -> None:
    assert encode([decode(code)]).tolist() == [code]


@pytest.mark.parametrize("text", ["", "P030", "P03011", "X0301", "P4301", "P030G", "p0301", "P03é1"])
def test_what_is_no_code_has_no_number(text: str) -> None:
    assert encode([text, "P0301"]).tolist() == [NO_CODE, 0x0301]


def test_a_counter_that_falls_was_cleared_and_a_gap_changes_nothing() -> None:
    offsets = np.array([0, 4, 6], dtype=np.int64)
    km = np.array([100.0, np.nan, 5.0, 80.0, 3.0, 3.0])
    assert falls(offsets, km).tolist() == [False, False, True, False, False, False]


def test_codes_cleared_shortly_before_a_visit_are_named_with_what_went() -> None:
    offsets = np.array([0, 2, 3, 3], dtype=np.int64)
    time_d = np.array([100.0, 200.0, 300.0])
    faults = fleet_faults(
        fleet(
            [
                ("P0301", CLEARED, 99.5, 1),
                ("P0302", CONFIRMED, 90, 1),
                ("P0302", CLEARED, 100.5, 1),
                ("P0302", CONFIRMED, 120, 1),
                ("P0420", CLEARED, 150, 1),
                ("P0455", CONFIRMED, 150, 1),
                ("P0171", CLEARED, np.nan, 1),
            ],
            [("P0301", CLEARED, 200, 1)],
            [],
        ),
        RULES,
    )
    found = clearings(
        offsets,
        time_d,
        np.array([True, True, True]),
        visits=(np.array([0, 2, 2, 3]), np.array([104.0, 230.0, 301.0])),
        faults=faults,
        rules=ClearingRules(),
    )
    hidden = cleared_before_visit(faults, found, ClearingRules())
    assert [decode(int(code)) for code in faults.code[hidden]] == ["P0301", "P0302"]
    assert faults.vehicle[hidden].tolist() == [0, 0]
    assert found.vehicle.tolist() == [0, 0, 1]
    assert found.before_visit.tolist() == [True, False, False]
    assert found.codes.tolist() == [2, 0, 0]
    assert found.visit_d[:2].tolist() == [104.0, 230.0]
    assert np.isnan(found.visit_d[2])


@pytest.mark.data
def test_in_real_drives_minutes_since_clearing_never_fall(data: Path) -> None:
    drives = sorted((data / "drives").glob("*.csv"))
    for path in drives:
        with path.open(newline="", encoding="ascii", errors="replace") as file:
            reader = csv.reader(file)
            column = next(reader).index("TIME_SINCE_TROUBLE_CODES_CLEARED ()")
            minutes = np.array([float(row[column]) for row in reader if len(row) > column])
        assert len(minutes) > 100
        assert not falls(np.array([0, len(minutes)], dtype=np.int64), minutes).any()
    assert drives

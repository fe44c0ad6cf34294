"""Several sources at once: one speaks for each signal, and nothing is counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.arbiter import IN_USE_S, SILENCE_S, SILENCE_S_MAX, Arbiter
from milepost_agent.edge import Edge
from milepost_agent.readings import Reading
from milepost_protocol.signals import catalogue

VIN_A, VIN_B = "WVWZZZ1JZXW000001", "WVWZZZ1JZXW000002"


def test_the_first_table_speaks_and_the_second_is_counted_as_overruled() -> None:
    arbiter = Arbiter()
    assert arbiter.admits(Reading(paths.SPEED, 50.0, 0.0), 1), "nobody else has spoken yet"
    assert arbiter.admits(Reading(paths.SPEED, 51.0, 0.5), 0)
    assert not arbiter.admits(Reading(paths.SPEED, 50.0, 1.0), 1)
    assert arbiter.overruled == {1: 1}
    assert arbiter.speaker(paths.SPEED) == 0


@pytest.mark.parametrize("signal", [paths.SPEED, paths.VOLTAGE, paths.ODOMETER, paths.DTC_CONFIRMED])
def test_another_source_is_heard_when_the_better_one_falls_silent_and_until_it_is_back(signal: str) -> None:
    arbiter, silence_s = Arbiter(), SILENCE_S.get(signal, SILENCE_S_MAX)
    value = "P0301" if signal in paths.INNER else 13.0
    assert arbiter.admits(Reading(signal, value, 0.0), 0)
    assert not arbiter.admits(Reading(signal, value, silence_s), 1)
    assert arbiter.admits(Reading(signal, value, silence_s + 0.1), 1)
    assert arbiter.admits(Reading(signal, value, silence_s + 0.2), 0)
    assert not arbiter.admits(Reading(signal, value, silence_s + 0.3), 1)


def test_a_source_that_gives_one_signal_leaves_the_others_to_the_rest() -> None:
    arbiter = Arbiter()
    assert arbiter.admits(Reading(paths.ODOMETER, 5_000_000, 0.0), 0)
    assert arbiter.admits(Reading(paths.SPEED, 50.0, 1.0), 1)
    assert not arbiter.admits(Reading(paths.ODOMETER, 4_000_000, 2.0), 1)


def test_whoever_told_the_vin_is_believed_however_long_ago() -> None:
    arbiter = Arbiter()
    assert arbiter.admits(Reading(paths.VIN, VIN_A, 0.0), 0)
    assert not arbiter.admits(Reading(paths.VIN, VIN_B, 1e9), 1)


def test_no_source_switches_off_a_car_that_another_one_sees_in_use() -> None:
    arbiter = Arbiter()
    off = paths.SYSTEM_STATE, paths.STATE_OFF
    arbiter.admits(Reading(paths.SPEED, 80.0, 0.0), 0)
    assert not arbiter.admits(Reading(*off, 1.0), 1), "it has lost its adapter"
    assert arbiter.admits(Reading(*off, 1.0), 0), "it saw the car in use itself, until now"
    assert arbiter.admits(Reading(*off, IN_USE_S + 0.1), 1)


def test_a_source_that_is_overruled_still_knows_that_the_car_is_in_use() -> None:
    arbiter = Arbiter()
    arbiter.admits(Reading(paths.RPM, 900.0, 0.0), 0)
    assert not arbiter.admits(Reading(paths.RPM, 900.0, 1.0), 1)
    assert not arbiter.admits(Reading(paths.SYSTEM_STATE, paths.STATE_OFF, 2.0), 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(sorted(catalogue().signals)), st.floats(0, 1e5)),
        max_size=200,
    )
)
def test_there_is_always_one_speaker_and_a_better_one_is_never_overruled(
    heard: list[tuple[int, str, float]],
) -> None:
    arbiter = Arbiter()
    for rank, signal, at_s in sorted(heard, key=lambda row: row[2]):
        before = arbiter.speaker(signal)
        admitted = arbiter.admits(Reading(signal, "ON" if catalogue()[signal].is_text else 1.0, at_s), rank)
        assert admitted or (before is not None and before < rank)
        assert arbiter.speaker(signal) == (rank if admitted else before)


def test_two_sources_of_one_drive_count_it_once_and_a_lost_adapter_ends_no_trip() -> None:
    one, two = Edge(), Edge()
    for edge, ranks in ((one, (0,)), (two, (0, 1))):
        for tenth in range(0, 6_001, 5):
            for rank in ranks:
                at_s = tenth / 10 + rank / 20
                edge.feed(Reading(paths.RPM, 2000.0, at_s), rank)
                edge.feed(Reading(paths.SPEED, 72.0 + 3 * rank, at_s), rank)
                edge.feed(Reading(paths.ODOMETER, 5_000_000 + 100_000_000 * rank, at_s), rank)
        edge.feed(Reading(paths.SYSTEM_STATE, paths.STATE_OFF, 600.2), 1)
    for part in ("distance", "engine", "starts", "brakes", "trips"):
        assert one.state()[part] == two.state()[part], part
    assert two.origins()["distance"] == {paths.SPEED: 0, paths.ODOMETER: 0}

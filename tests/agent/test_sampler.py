"""The sampler: on change, deadband, intervals, and what never leaves the car."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_agent.sampler import Rule, Rules, Sampler, shipped_rules
from milepost_protocol.signals import SignalClass, catalogue

RULES = Rules({paths.DISTANCE: Rule(deadband=100, interval_s_min=60, interval_s_max=3600)}, {})


def feed(
    sampler: Sampler, *readings: tuple[float, float], signal: str = paths.DISTANCE
) -> list[tuple[object, float]]:
    return [
        (r.value, r.mono_s) for value, at_s in readings for r in sampler.feed(Reading(signal, value, at_s))
    ]


def test_the_first_reading_is_a_sample() -> None:
    assert feed(Sampler(RULES), (5.0, 0.0)) == [(5.0, 0.0)]


def test_a_change_within_the_deadband_is_none_until_the_longest_interval_is_over() -> None:
    sampler = Sampler(RULES)
    assert feed(sampler, (0, 0), (99, 100), (99, 3599), (99, 3600), (99, 3601)) == [(0, 0), (99, 3600)]


def test_a_change_waits_for_the_shortest_interval_and_keeps_its_own_time() -> None:
    sampler = Sampler(RULES)
    assert feed(sampler, (0, 0), (500, 10), (700, 20)) == [(0, 0)]
    assert sampler.tick(59.9) == []
    assert sampler.tick(60.0) == [(paths.DISTANCE, 700.0, 20)]
    assert sampler.tick(500.0) == []
    assert feed(sampler, (900, 500)) == [(900, 500)]


def test_a_change_that_was_taken_back_is_none() -> None:
    sampler = Sampler(RULES)
    feed(sampler, (0, 0), (500, 10), (0, 20))
    assert sampler.tick(100.0) == []
    assert sampler.flush(100.0) == []


def test_flush_gives_small_and_waiting_changes() -> None:
    sampler = Sampler(RULES)
    feed(sampler, (0, 0), (50, 10))
    assert sampler.tick(1000.0) == []
    assert sampler.flush(1000.0) == [(paths.DISTANCE, 50.0, 10)]
    assert sampler.flush(1000.0) == []


def test_events_pass_each_time() -> None:
    sampler = Sampler()
    for at_s in (0.0, 0.0, 1.0):
        assert sampler.feed(Reading(paths.DTC, "P0301 confirmed", at_s)) == [
            (paths.DTC, "P0301 confirmed", at_s)
        ]


def test_text_and_booleans_have_no_deadband() -> None:
    sampler = Sampler()
    mil = "Vehicle.Milepost.Diagnostics.IsMilOn"
    values = [
        sampler.feed(Reading(mil, value, at_s))
        for value, at_s in ((False, 0.0), (False, 99.0), (True, 200.0))
    ]
    assert [len(v) for v in values] == [1, 0, 1]


@pytest.mark.parametrize(
    "path", [p for p in catalogue().signals if catalogue()[p].signal_class is SignalClass.SERIES]
)
def test_no_series_leaves_the_car_without_a_profile_that_names_it(path: str) -> None:
    signal = catalogue()[path]
    value = "ON" if signal.is_text else signal.minimum
    sampler = Sampler()
    assert sampler.feed(Reading(path, value, 0.0)) == []
    assert sampler.tick(1e6) == sampler.flush(1e6) == []
    assert sampler.withheld == 1
    profiled = Sampler(profile={path: Rule()})
    assert profiled.feed(Reading(path, value, 0.0)) == [], "nobody has agreed yet"
    profiled.allow_profile(math.inf)
    fed = profiled.feed(Reading(path, value, 0.0))
    assert fed == ([] if signal.is_text else [(path, value, 0.0)])
    assert (path in profiled.signals(0.0)) is not signal.is_text


def test_a_profile_ends_with_the_consent_to_it_and_takes_along_what_waits() -> None:
    sampler = Sampler(profile={paths.SPEED: Rule(interval_s_min=10), paths.DISTANCE: Rule(every=True)})
    sampler.allow_profile(100.0)
    assert feed(sampler, (50, 90), (60, 95), signal=paths.SPEED) == [(50, 90)]
    assert feed(sampler, (500, 90), (501, 95), (502, 99.9)) == [(500, 90), (501, 95), (502, 99.9)]
    assert sampler.tick(100.0) == [], "the speed of 60 would be due now"
    assert feed(sampler, (70, 100), (80, 5000), signal=paths.SPEED) == []
    assert feed(sampler, (503, 100)) == [], "the shipped rule holds again"
    assert sampler.flush(5000.0) == [(paths.DISTANCE, 503, 100)]
    assert sampler.withheld == 3


def test_no_profile_makes_a_stream_of_a_text() -> None:
    sampler = Sampler(profile={paths.VIN: Rule(every=True)})
    sampler.allow_profile(math.inf)
    told = [sampler.feed(Reading(paths.VIN, "1M8GDM9AXKP042788", at_s)) for at_s in (0.0, 1.0, 2.0)]
    assert [len(samples) for samples in told] == [1, 0, 0]


@pytest.mark.parametrize("path", sorted(paths.INNER))
def test_inner_readings_never_leave_even_with_a_profile(path: str) -> None:
    sampler = Sampler(profile={path: Rule()})
    sampler.allow_profile(math.inf)
    assert sampler.feed(Reading(path, "P0301", 0.0)) == []
    assert sampler.withheld == 1


def test_values_outside_the_bounds_of_physics_are_refused_and_counted() -> None:
    sampler = Sampler()
    assert sampler.feed(Reading(paths.ODOMETER, 0xFFFFFFFF * 100, 0.0)) == []
    assert sampler.feed(Reading(paths.ODOMETER, float("nan"), 0.0)) == []
    assert sampler.refused == {paths.ODOMETER: 2}


def test_every_signal_that_may_leave_has_a_rule_with_sound_intervals() -> None:
    rules = shipped_rules()
    for signal in catalogue().signals.values():
        rule = rules.rule(signal)
        assert (rule is None) == (signal.signal_class is SignalClass.SERIES), signal.path
        if rule is not None and rule.interval_s_max:
            assert rule.interval_s_min <= rule.interval_s_max, signal.path
            assert rule.deadband >= 0


def test_a_restart_alone_is_no_news() -> None:
    sampler = Sampler(RULES)
    feed(sampler, (500, 1000))
    again = Sampler(RULES)
    again.restore(json.loads(json.dumps(sampler.state())))
    assert feed(again, (500, 1), (550, 2)) == []
    changed = Sampler(RULES)
    changed.restore(sampler.state())
    assert feed(changed, (600, 1)) == [(600, 1)]


@pytest.mark.parametrize(
    "broken", [{paths.DISTANCE: None}, {paths.DISTANCE: [1]}, dict.fromkeys(map(str, range(2000)), 1)]
)
def test_a_broken_state_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(EdgeStateError, match="sampler"):
        Sampler().restore(broken)


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.floats(0, 500)), min_size=1, max_size=60))
def test_samples_keep_their_distance_and_no_large_change_is_lost(steps: list[tuple[int, float]]) -> None:
    sampler = Sampler(RULES)
    now_s, emitted_at, samples = 0.0, [], []
    value = 0
    for change, wait_s in steps:
        now_s += wait_s
        value = max(0, value + change)
        for sample in [*sampler.feed(Reading(paths.DISTANCE, value, now_s)), *sampler.tick(now_s)]:
            samples.append(sample)
            emitted_at.append(now_s)
    assert all(b - a >= 60 - 1e-9 for a, b in itertools.pairwise(emitted_at))
    final = sampler.flush(now_s + 1e9)
    assert (final or samples)[-1].value == value

"""Cleaning against mistakes put into true histories: how many are found, and what is never lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.signals.cleaning import Judged, judge
from milepost_server.signals.odometer import OdometerRules, Verdict, clean_odometer, keyed_readings
from support.bus_odometers import bus_truth
from support.dirty_odometers import BACKWARD_SHARE, CADENCES, JUMP_SHARE, histories, inject, inject_quiet
from support.fuel_cards import cards

SEED = 20_261
VEHICLES = 150
READINGS = 48
RULES = OdometerRules()


def f1(judged: Judged) -> float:
    right, wrongly, missed = judged.by_vehicle().sum(axis=0)
    return float(2 * right / (2 * right + wrongly + missed))


@pytest.fixture(params=list(CADENCES))
def judged(request: pytest.FixtureRequest) -> Judged:
    rng = np.random.default_rng(SEED)
    truth = histories(rng, VEHICLES, READINGS, request.param)
    return judge(truth, inject(rng, truth))


def test_mistakes_are_found(judged: Judged) -> None:
    assert judged.wrong.mean() == pytest.approx(BACKWARD_SHARE + JUMP_SHARE, abs=0.015)
    assert f1(judged) > 0.97


def test_corrected_values_are_the_true_ones(judged: Judged) -> None:
    corrected, right = judged.corrections()
    assert corrected > 0.2 * judged.wrong.sum()
    assert right > 0.94 * corrected


@pytest.mark.parametrize("cadence", CADENCES)
def test_no_true_reading_is_lost_after_a_change(cadence: str) -> None:
    rng = np.random.default_rng(SEED)
    truth = histories(rng, 2 * VEHICLES, READINGS, cadence)
    judged = judge(truth, inject(rng, truth, scale=0.0))
    assert truth.after_change.mean() > 0.05
    assert judged.lost_for_good() == 0
    assert judged.flagged.mean() < 0.001


def test_a_reading_written_twice_is_sometimes_seen_and_nothing_else_is_flagged() -> None:
    rng = np.random.default_rng(SEED)
    truth = histories(rng, VEHICLES, READINGS, "monthly")
    judged = judge(truth, inject_quiet(rng, truth))
    assert (judged.flagged & judged.wrong).sum() > 0.1 * judged.wrong.sum()
    assert (judged.flagged & ~judged.wrong).sum() < 0.01 * judged.wrong.sum()


def test_drivers_who_key_what_they_like_spoil_little() -> None:
    rng = np.random.default_rng(SEED)
    truth = histories(rng, VEHICLES, READINGS, "daily")
    judged = judge(truth, cards(rng, truth))
    assert judged.wrong.mean() > 0.08
    assert f1(judged) > 0.85
    wrong_m = np.abs(judged.dirty.error_m)
    assert np.median(wrong_m[judged.wrong & judged.flagged]) > 30e6


@pytest.mark.data
def test_mistakes_in_the_odometers_of_real_buses_are_found(data: Path) -> None:
    truth = bus_truth(data)
    rng = np.random.default_rng(SEED)
    assert f1(judge(truth, inject(rng, truth))) > 0.96
    assert judge(truth, inject(rng, truth, scale=0.0)).flagged.mean() < 0.005


def test_rows_of_a_table_as_readings() -> None:
    vehicle = np.array([1, 0, 1, 1, 0, 1, 1])
    time_d = np.array([20_030.0, 20_000.0, 20_000.0, 20_030.0, np.nan, 20_060.0, 20_090.0])
    odometer = np.array([1_230.0, 500.0, 1_000.0, 1_210.0, 600.0, np.nan, 1_500.0])
    readings, row = keyed_readings(vehicle, time_d, odometer, 1_609.344, RULES)
    assert row.tolist() == [1, 4, 2, 3, 0, 5, 6]
    assert readings.offsets.tolist() == [0, 2, 7]
    clean = clean_odometer(readings, 20_600.0, RULES)
    assert [Verdict(each).word for each in clean.verdict] == [
        *("kept", "impossible-time"),
        *("kept", "kept", "kept", "no-value", "kept"),
    ]
    assert np.isfinite(clean.odometer_m).all()


def test_an_empty_table() -> None:
    none = np.zeros(0)
    readings, row = keyed_readings(none.astype(np.int64), none, none, 1_000.0, RULES)
    assert len(row) == 0
    assert clean_odometer(readings, 20_600.0, RULES).offsets.tolist() == [0]

"""Wear: the limit of a part from its readings, from what is usual, and after it was renewed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals import gamma
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.wear import UsualWear, WearReadings, WearRules, usual_wear, wear_limit

KM = 1_000.0
RULES = WearRules()
PADS = usual_wear(15_000 * KM, 80_000 * KM)
LIFE_KM = 1 / PADS.per_m / KM


def part(*rows: tuple[float, float]) -> WearReadings:
    """One part: (kilometres, worn)."""
    return WearReadings(
        offsets_of(np.array([len(rows)], dtype=np.int64)),
        np.array([km * KM for km, _ in rows], dtype=np.float64),
        np.array([worn for _, worn in rows], dtype=np.float64),
    )


def start(km: float = np.nan) -> np.ndarray:
    return np.array([km * KM])


def test_what_is_usual_has_the_quantiles_that_it_was_made_of() -> None:
    variance = np.array(PADS.variance)
    lives = [1 / PADS.per_m / float(gamma.quantile(variance, z)) / KM for z in (gamma.Z90, gamma.Z10)]
    assert lives == pytest.approx([15_000, 80_000], rel=1e-6)


def test_a_measured_slope_is_shrunk_to_the_usual_one_as_by_hand() -> None:
    limit = wear_limit(part((10_000, 0.0), (30_000, 0.8)), start(), PADS, RULES)
    prior_km = 0.15 * LIFE_KM
    per_km = (0.8 + 0.15) / (20_000 + prior_km)
    assert limit.at_m[0] / KM == pytest.approx(30_000 + 0.2 / per_km)
    assert limit.variance[0] == pytest.approx(PADS.variance * prior_km / (20_000 + prior_km))
    assert (limit.measured[0], limit.first_row[0], limit.last_row[0]) == (True, 0, 1)


def test_a_start_counts_as_a_reading_of_a_new_part() -> None:
    with_start = wear_limit(part((30_000, 0.8)), start(10_000), PADS, RULES)
    as_reading = wear_limit(part((10_000, 0.0), (30_000, 0.8)), start(), PADS, RULES)
    assert with_start.at_m.tolist() == as_reading.at_m.tolist()


def test_readings_before_the_last_service_are_of_the_old_part() -> None:
    limit = wear_limit(part((10_000, 0.1), (30_000, 0.9), (42_000, 0.2)), start(40_000), PADS, RULES)
    alone = wear_limit(part((42_000, 0.2)), start(40_000), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()
    assert limit.first_row[0] == 2


def test_a_renewal_that_nobody_wrote_down_is_seen_in_the_fall() -> None:
    limit = wear_limit(
        part((10_000, 0.5), (30_000, 0.9), (31_000, 0.0), (41_000, 0.3)), start(0), PADS, RULES
    )
    alone = wear_limit(part((31_000, 0.0), (41_000, 0.3)), start(), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()


def test_a_fall_that_the_service_record_tells_of_keeps_its_start() -> None:
    limit = wear_limit(part((30_000, 0.9), (41_000, 0.1)), start(40_000), PADS, RULES)
    alone = wear_limit(part((41_000, 0.1)), start(40_000), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()


def test_without_readings_the_start_and_what_is_usual_are_all_there_is() -> None:
    limit = wear_limit(part(), start(10_000), PADS, RULES)
    assert limit.at_m[0] / KM == pytest.approx(10_000 + LIFE_KM)
    assert limit.variance[0] == pytest.approx(PADS.variance)
    assert not limit.measured[0]
    assert np.isnan(wear_limit(part(), start(), PADS, RULES).at_m[0])


def test_a_part_past_its_limit_reached_it_behind_its_last_reading() -> None:
    limit = wear_limit(part((10_000, 0.0), (30_000, 1.05)), start(), PADS, RULES)
    assert 28_000 < limit.at_m[0] / KM < 30_000


@given(
    rows=st.lists(st.tuples(st.floats(0, 3e5), st.floats(-0.1, 1.2)), max_size=8),
    new_km=st.one_of(st.just(np.nan), st.floats(0, 3e5)),
    usual=st.tuples(st.floats(5_000, 50_000), st.floats(1.1, 10)),
)
def test_a_limit_is_finite_wherever_anything_is_known(
    rows: list[tuple[float, float]], new_km: float, usual: tuple[float, float]
) -> None:
    wear: UsualWear = usual_wear(usual[0] * KM, usual[0] * usual[1] * KM)
    limit = wear_limit(part(*sorted(rows)), start(new_km), wear, RULES)
    assert np.isfinite(limit.at_m[0]) == (bool(limit.measured[0]) or not np.isnan(new_km))
    assert 0 < limit.variance[0] <= wear.variance * (1 + 1e-9)

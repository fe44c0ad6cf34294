"""Corrections against a plain list of everything that one slip of a hand can make of a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.odometer.repair import METRES_PER_MILE, repair, unit_of
from milepost_server.signals.odometer.verdict import Verdict

KM = 1_000.0
TIGHT_SHARE = 0.1


def meant(keyed: int) -> set[int]:
    """All that may have been meant where ``keyed`` was written with one slip of one or two digits."""
    text = str(keyed)
    found = {text[:at] + digit + text[at + 1 :] for at in range(len(text)) for digit in "0123456789"}
    found |= {text[:at] + digit + text[at:] for at in range(len(text) + 1) for digit in "0123456789"}
    found |= {text[:at] + text[at + 1 :] or "0" for at in range(len(text))}
    found |= {text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1)}
    return {int(each) for each in found if each == "0" or not each.startswith("0")} - {keyed}


def one(keyed_km: float, low_km: float, high_km: float, *, between: bool = True) -> tuple[float, Verdict]:
    value_m, verdict = repair(
        np.array([keyed_km * KM]),
        np.array([low_km * KM]),
        np.array([high_km * KM]),
        np.array([between]),
        TIGHT_SHARE,
    )
    return float(value_m[0]) / KM, Verdict(int(verdict[0]))


@pytest.mark.parametrize(
    ("keyed", "low", "high", "value", "verdict"),
    [
        (520_000, 51_900, 52_100, 52_000, Verdict.TENFOLD),
        (5_200.0, 51_999.96, 52_000.04, 52_000, Verdict.TENTH),
        (32_311, 51_900, 52_100, 51_999.5, Verdict.IN_MILES),
        (83_686, 51_900, 52_100, 52_000.1, Verdict.IN_KILOMETRES),
        (92_345, 52_300, 52_400, 52_345, Verdict.ONE_DIGIT),
        (25_345, 52_300, 52_400, 52_345, Verdict.TRANSPOSED),
        (5_345, 52_300, 52_400, 52_345, Verdict.DROPPED_DIGIT),
        (522_345, 52_300, 52_400, 52_345, Verdict.EXTRA_DIGIT),
        (92_345.6, 52_300, 52_400, 52_345.6, Verdict.ONE_DIGIT),
    ],
)
def test_each_slip(keyed: float, low: float, high: float, value: float, verdict: Verdict) -> None:
    found, why = one(keyed, low, high)
    assert (round(found, 1), why) == (value, verdict)


def test_two_slips_that_fit_are_none() -> None:
    # 52,345 with its thousands wrong, where 50,345 as well as 51,345 would do.
    assert one(58_345, 50_000, 52_000) == (58_345, Verdict.KEPT)


def test_a_slip_of_the_hand_needs_neighbours_on_both_sides_and_a_program_s_does_not() -> None:
    assert one(92_345, 52_300, 52_400, between=False) == (92_345, Verdict.KEPT)
    assert one(520_000, 51_900, 52_100, between=False) == (52_000, Verdict.TENFOLD)


def test_nothing_is_corrected_between_no_neighbours() -> None:
    value_m, verdict = repair(
        np.array([5e7]), np.array([np.nan]), np.array([np.nan]), np.array([False]), TIGHT_SHARE
    )
    assert (value_m.tolist(), verdict.tolist()) == ([5e7], [Verdict.KEPT])


def fitting(keyed: int, low: float, high: float) -> list[float]:
    scaled = (keyed * factor for factor in (0.1, 10, METRES_PER_MILE / KM, KM / METRES_PER_MILE))
    return sorted(each for each in (*meant(keyed), *scaled) if low <= each <= high)


@given(truth=st.integers(1_000, 900_000), width=st.integers(0, 40), pick=st.integers(0, 10**6))
def test_what_is_corrected_is_the_only_slip_that_fits(truth: int, width: int, pick: int) -> None:
    written = sorted(meant(truth))
    keyed = written[pick % len(written)]
    value, verdict = one(keyed, truth - width, truth + width)
    fits = fitting(keyed, truth - width, truth + width)
    if verdict is Verdict.KEPT:
        assert value == keyed
    else:
        assert fits[-1] - fits[0] < 1
        assert fits[0] - 1e-3 <= value <= fits[-1] + 1e-3


@given(truth=st.integers(1_000, 900_000), pick=st.integers(0, 10**6))
def test_the_only_slip_that_fits_is_found(truth: int, pick: int) -> None:
    written = sorted(meant(truth))
    keyed = written[pick % len(written)]
    value, verdict = one(keyed, truth, truth)
    assert value == pytest.approx(truth)
    assert verdict is not Verdict.KEPT


def test_the_digits_of_miles_are_seen_in_miles() -> None:
    value_m, verdict = repair(
        np.array([92_345 * METRES_PER_MILE]),
        np.array([52_300 * METRES_PER_MILE]),
        np.array([52_400 * METRES_PER_MILE]),
        np.array([True]),
        TIGHT_SHARE,
    )
    assert verdict.tolist() == [Verdict.ONE_DIGIT]
    assert value_m[0] == pytest.approx(52_345 * METRES_PER_MILE)


@pytest.mark.parametrize(
    ("value_m", "unit_m"),
    [
        (45_231 * METRES_PER_MILE, METRES_PER_MILE),
        (round(45_231 * METRES_PER_MILE), METRES_PER_MILE),
        (45_231.7 * METRES_PER_MILE, METRES_PER_MILE),
        (72_000_000.0, KM),
        (72_123_400.0, KM),
        (0.0, KM),
    ],
)
def test_the_unit_that_was_keyed(value_m: float, unit_m: float) -> None:
    assert unit_of(np.array([value_m])).tolist() == [unit_m]

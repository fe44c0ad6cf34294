"""How well the odometers are cleaned: mistakes put into true histories, and how many of them are found.

Right is what was flagged (rejected or corrected) and wrong. Counted are the mistakes that the rates of the
fuel cards count: a step backwards, or a jump of more than 2,000 miles. A mistake below 300 m counts for
nothing. Quiet mistakes, the last value written down again, make neither a step backwards nor a jump: their
recall is told apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import offsets_of, owners_of
from milepost_server.signals.odometer import CleanOdometer, OdometerReadings, OdometerRules, clean_odometer
from milepost_server.signals.odometer.verdict import REJECTED_FROM, Verdict
from support.bus_odometers import bus_truth
from support.dirty_odometers import (
    CADENCES,
    NEGLIGIBLE_M,
    SLIPS,
    Dirty,
    Truth,
    histories,
    inject,
    inject_quiet,
)
from support.fuel_cards import cards

SEEDS = (1, 2, 3, 4, 5)
VEHICLES = 300
READINGS = {"monthly": 36, "weekly": 60, "daily": 100}
BOOTSTRAPS = 1_000
RIGHT_M = 1_000.0
"""A corrected value is right when it is this near to the truth."""
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
RULES = OdometerRules()
SPEED_VEHICLES, SPEED_READINGS = 50_000, 36
AS_OF_D = 1e5


@dataclass(frozen=True)
class Judged:
    """One set of histories, written down with mistakes and cleaned."""

    truth: Truth
    dirty: Dirty
    clean: CleanOdometer

    @property
    def wrong(self) -> NDArray[np.bool_]:
        return np.abs(self.dirty.error_m) > NEGLIGIBLE_M

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return self.rejected | self.corrected

    @property
    def rejected(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.clean.verdict >= REJECTED_FROM
        return found

    @property
    def corrected(self) -> NDArray[np.bool_]:
        verdict = self.clean.verdict
        found: NDArray[np.bool_] = (verdict >= Verdict.TENFOLD) & (verdict <= Verdict.EXTRA_DIGIT)
        return found

    def by_vehicle(self) -> NDArray[np.float64]:
        """Right, wrongly flagged and missed (V, 3) of each vehicle."""
        owner = owners_of(self.truth.offsets)
        found = (self.flagged & self.wrong, self.flagged & ~self.wrong, ~self.flagged & self.wrong)
        vehicles = len(self.truth.offsets) - 1
        return np.stack([np.bincount(owner, weights=each, minlength=vehicles) for each in found], axis=1)

    def corrections(self) -> tuple[int, int]:
        """How many readings were corrected, and how many of them to the truth."""
        used = np.full(len(self.clean.verdict), np.nan)
        used[self.clean.row] = self.clean.odometer_m
        right = np.abs(used - self.truth.shown_m)[self.corrected] <= RIGHT_M
        return len(right), int(right.sum())

    def lost_for_good(self) -> int:
        """True readings after a change that were flagged, though three after them were there."""
        owner = owners_of(self.truth.offsets)
        later = self.truth.offsets[owner + 1] - 1 - np.arange(len(owner))
        lost = self.flagged & ~self.wrong & self.truth.after_change & (later >= RULES.confirmations)
        return int(lost.sum())


def judge(truth: Truth, dirty: Dirty) -> Judged:
    """Clean what was written down."""
    return Judged(truth, dirty, clean_odometer(dirty.readings, AS_OF_D, RULES))


def measure() -> dict[str, float]:
    """All figures of cleaning."""
    sets = {name: [_simulated(name, seed) for seed in SEEDS] for name in CADENCES}
    if DATA.is_dir():
        truth = bus_truth(DATA)
        sets["buses"] = [judge(truth, inject(np.random.default_rng(seed), truth)) for seed in SEEDS]
    everything = [judged for each in sets.values() for judged in each]
    figures = _scores("cleaning", everything)
    for name, each in sets.items():
        figures |= {f"cleaning_{name}_{key}": value for key, value in _f1(_counts(each)).items()}
    figures |= _recalls(everything)
    corrected, right = np.sum([judged.corrections() for judged in everything], axis=0)
    figures["cleaning_corrected_share"] = corrected / sum(judged.wrong.sum() for judged in everything)
    figures["cleaning_corrected_right"] = right / corrected
    figures |= _changes() | _quiet() | _cards() | _speed()
    return {name: round(float(value), 4) for name, value in figures.items()}


def _simulated(cadence: str, seed: int, scale: float = 1.0) -> Judged:
    rng = np.random.default_rng(seed)
    truth = histories(rng, VEHICLES, READINGS[cadence], cadence)
    return judge(truth, inject(rng, truth, scale))


def _counts(each: list[Judged]) -> NDArray[np.float64]:
    return np.concatenate([judged.by_vehicle() for judged in each])


def _f1(counts: NDArray[np.float64]) -> dict[str, float]:
    right, wrongly, missed = counts.sum(axis=0)
    return {
        "f1": 2 * right / (2 * right + wrongly + missed),
        "precision": right / (right + wrongly),
        "recall": right / (right + missed),
    }


def _scores(name: str, each: list[Judged]) -> dict[str, float]:
    """F1, precision and recall, and a 95 % interval of F1 by drawing vehicles anew."""
    counts = _counts(each)
    rng = np.random.default_rng(0)
    drawn = [_f1(counts[rng.integers(len(counts), size=len(counts))])["f1"] for _ in range(BOOTSTRAPS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    figures = {f"{name}_{key}": value for key, value in _f1(counts).items()}
    return figures | {f"{name}_f1_low": float(low), f"{name}_f1_high": float(high)}


def _recalls(each: list[Judged]) -> dict[str, float]:
    recalls = {}
    for kind in SLIPS:
        of_kind = [(judged.dirty.kind == kind) & judged.wrong for judged in each]
        found = sum((judged.flagged & wrong).sum() for judged, wrong in zip(each, of_kind, strict=True))
        name = f"cleaning_recall_{kind.replace('-', '_')}"
        recalls[name] = found / sum(wrong.sum() for wrong in of_kind)
    return recalls


def _changes() -> dict[str, float]:
    """True readings after a change of regime or cluster that are lost for good: alone, and among mistakes."""
    alone = [_simulated(name, seed, 0.0) for name in CADENCES for seed in SEEDS]
    among = [_simulated(name, seed) for name in CADENCES for seed in SEEDS]
    true_ones = sum((judged.truth.after_change & ~judged.wrong).sum() for judged in among)
    return {
        "cleaning_rejected_true_after_change": sum(judged.lost_for_good() for judged in alone),
        "cleaning_rejected_true_share": sum(judged.rejected.sum() for judged in alone)
        / sum(len(judged.rejected) for judged in alone),
        "cleaning_rejected_true_after_change_among_errors_share": sum(
            judged.lost_for_good() for judged in among
        )
        / true_ones,
    }


def _quiet() -> dict[str, float]:
    found = wrong = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = histories(rng, VEHICLES, READINGS["monthly"], "monthly")
        judged = judge(truth, inject_quiet(rng, truth))
        found += int((judged.flagged & judged.wrong).sum())
        wrong += int(judged.wrong.sum())
    return {"cleaning_quiet_recall": found / wrong}


def _cards() -> dict[str, float]:
    """F1 where drivers key what they like, in runs: every mistake of more than 300 m counts."""
    each = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth = histories(rng, VEHICLES, READINGS["daily"], "daily")
        each.append(judge(truth, cards(rng, truth)))
    return {f"cleaning_cards_{key}": value for key, value in _f1(_counts(each)).items()}


def _speed() -> dict[str, float]:
    """Seconds for a million vehicles with three years of monthly readings, from one chunk of them."""
    seconds = {}
    for name, share in (("", 0.001), ("dirty_", 0.1)):
        readings = _fleet(np.random.default_rng(1), share)
        begin_s = time.process_time()
        clean_odometer(readings, AS_OF_D, RULES)
        taken_s = time.process_time() - begin_s
        seconds[f"cleaning_{name}million_s"] = taken_s * 1_000_000 / SPEED_VEHICLES
    return seconds


def _fleet(rng: np.random.Generator, share: float) -> OdometerReadings:
    """Plain histories, of whose readings ``share`` are wrong in one of four ways."""
    shape = (SPEED_VEHICLES, SPEED_READINGS)
    rate = np.exp(rng.normal(np.log(40e3), 0.6, (SPEED_VEHICLES, 1)))
    other = rate * rng.uniform(0.3, 3.0, (SPEED_VEHICLES, 1))
    change = rng.integers(0, 2 * SPEED_READINGS, (SPEED_VEHICLES, 1))
    rate = np.where(np.arange(SPEED_READINGS) < change, rate, other)
    step_m = rate * 30.4 * rng.gamma(6.0, 1 / 6, shape)
    true_m = np.floor((rng.uniform(0, 2e8, (SPEED_VEHICLES, 1)) + np.cumsum(step_m, axis=1)) / 1000) * 1000
    mistaken = [
        true_m * 10,
        true_m / 1.609344,
        np.roll(true_m, 2, axis=1),
        true_m + 1e7 * rng.integers(1, 9, shape),
    ]
    wrong_m = np.choose(rng.integers(0, 4, shape), mistaken)
    time_d = 18_000 + 30.4 * np.arange(SPEED_READINGS) + rng.uniform(0, 3, shape)
    rows = SPEED_VEHICLES * SPEED_READINGS
    return OdometerReadings(
        offsets=offsets_of(np.full(SPEED_VEHICLES, SPEED_READINGS, dtype=np.int64)),
        time_d=time_d.ravel(),
        odometer_m=np.where(rng.random(shape) < share, wrong_m, true_m).ravel(),
        trusted=np.ones(rows, dtype=np.bool_),
        plausible=np.ones(rows, dtype=np.bool_),
        tolerance_m=np.full(rows, RULES.fall_m_max),
    )

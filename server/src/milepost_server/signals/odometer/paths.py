"""The cheapest story of each vehicle: which readings to believe, and where another instrument begins.

A shortest path over the readings. Believing one costs what the step into it is surprising, leaving one out
costs ``reject_price``, another instrument cluster ``swap_price``. As both neighbours of a reading take part,
a reading is judged by what came after it as well as by what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import Bools, Floats, Ints, owners_of

if TYPE_CHECKING:
    from milepost_server.signals.odometer.readings import OdometerRules
    from milepost_server.signals.odometer.track import Pace, Track

SKIPS_MAX = 4
"""Readings in a row that may be left out within one segment."""
_MUST_PRICE = 1e6
_NEVER = 1e30
_STEP_D_MIN = 0.5
_START, _SWAP = 0, 100


@dataclass(frozen=True, slots=True)
class Path:
    """Which of N readings are believed, and which of them begin a segment that is not the first."""

    kept: Bools  # (N)
    begins: Bools  # (N)


def reach_m(days: Floats, rules: OdometerRules) -> Floats:
    """How far (Q) a car can go in ``days`` (Q, not negative)."""
    late_m = rules.burst_d * (rules.burst_m_per_d - rules.sustained_m_per_d)
    return rules.slack_m + np.minimum(days * rules.burst_m_per_d, days * rules.sustained_m_per_d + late_m)


def missing_noughts(track: Track, rules: OdometerRules) -> Bools:
    """The rows (N) of zeros that are no readings: the next number is further than a car can have gone since.

    Where a form wants a number and nobody looked, zeros may outnumber the readings.
    """
    is_nought: Bools = (track.value_m == 0.0) & ~track.must
    if not is_nought.any():
        return is_nought
    rows = len(is_nought)
    at = np.where(is_nought, rows, np.arange(rows))
    following = np.minimum.accumulate(at[::-1])[::-1]
    owner, found = owners_of(track.offsets), np.minimum(following, rows - 1)
    days = np.maximum(track.time_d[found] - track.time_d, 0.0)
    known = (following < rows) & (owner[found] == owner)
    missing: Bools = is_nought & known & (track.value_m[found] > reach_m(days, rules))
    return missing


def step_prices(track: Track, pace: Pace, rules: OdometerRules, lag: int) -> Floats:
    """What it costs (N) to believe each reading right after the one ``lag`` rows before it.

    Infinite where no car does that. The first ``lag`` rows, and rows whose predecessor is another vehicle's,
    are meaningless.
    """
    prices = np.full(len(track.time_d), _NEVER)
    if len(prices) <= lag:
        return prices
    days = np.maximum(track.time_d[lag:] - track.time_d[:-lag], 0.0)
    metres = track.value_m[lag:] - track.value_m[:-lag]
    fall_m = np.maximum(track.tolerance_m[lag:], track.tolerance_m[:-lag])
    low = np.minimum(pace.before.low[1 : len(prices) - lag + 1], pace.after.low[lag:]) * days
    high = np.maximum(pace.before.high[1 : len(prices) - lag + 1], pace.after.high[lag:]) * days
    off = metres - np.minimum(np.maximum(metres, low), high)
    is_far = off > 0
    scatter = np.maximum(np.where(is_far, high, low), pace.floor_m_per_d[lag:] * days)
    scatter *= scatter
    scatter *= pace.scatter_d[lag:] / np.maximum(days, _STEP_D_MIN) + rules.drift_share**2
    scatter += rules.noise_m**2 + np.where(is_far, rules.trip_m**2, (0.5 * fall_m) ** 2)
    surprise = off * off / (2 * scatter)
    surprise[_edges(track, lag)] *= rules.edge_share
    most = np.where(is_far, rules.step_price_max, rules.slow_price_max)
    price = most * surprise / (most + surprise)
    if lag > 1:
        price[_copied(track, lag)] += rules.copy_price
    else:
        price += _caught_up(track, pace, rules)
    price[(metres < -fall_m) | (metres > reach_m(days, rules))] = _NEVER
    prices[lag:] = price
    return prices


def _caught_up(track: Track, pace: Pace, rules: OdometerRules) -> Floats:
    """What more it costs (N - 1) to stand still and then go further than usual, where cars seldom stand.

    That is how it looks when the last value is written down once more.
    """
    days, metres = np.diff(track.time_d), np.diff(track.value_m)
    next_rate = np.append(metres[1:], 0.0) / np.maximum(np.append(days[1:], 1.0), _STEP_D_MIN)
    usual = np.maximum(pace.before.high[1:], np.append(pace.after.high[2:], np.inf))
    catches_up = (metres == 0.0) & (days > 0.0) & (next_rate > rules.catch_up_ratio * usual)
    catches_up[1:] &= metres[:-1] > 0.0  # a car that stood before was parked
    # The step before the first, and the one after the last, are other vehicles'.
    ends = np.concatenate([track.first_rows(), track.offsets[1:] - 2])
    catches_up[ends[(ends >= 0) & (ends < len(catches_up))]] = False
    seldom = np.maximum(1.0 - pace.still_share[1:] / rules.still_share_max, 0.0)
    price: Floats = catches_up * seldom * rules.catch_up_price
    return price


def _copied(track: Track, lag: int) -> Bools:
    """Where ``rows[lag:]`` repeat the value of ``lag`` rows before, of a car that does not stand."""
    value_m = track.value_m
    stands = np.append(False, np.diff(value_m) == 0)[: len(value_m)]  # into this row
    stands[track.first_rows()] = False
    still = stands[: len(value_m) - lag] | np.append(stands[lag + 1 :], False)
    copied: Bools = (value_m[lag:] == value_m[:-lag]) & ~still
    return copied


def _edges(track: Track, lag: int) -> Ints:
    """The places among ``rows[lag:]`` of steps from a first reading or into a last: judged from one side."""
    counts = np.diff(track.offsets)
    longer = counts > lag
    first, last = track.offsets[:-1][longer], track.offsets[1:][longer] - 1
    return np.concatenate([first, last - lag])


def unsurprising(track: Track, pace: Pace, rules: OdometerRules) -> Bools:
    """The vehicles (V) whose every step costs at most half a rejected reading: no story is cheaper than all.

    To leave out m readings spares at most m + 1 steps.
    """
    price = step_prices(track, pace, rules, 1)
    price[track.first_rows()] = 0.0
    bad = np.append(0, np.cumsum(price > rules.reject_price / 2))
    fine: Bools = bad[track.offsets[1:]] == bad[track.offsets[:-1]]
    return fine


def cheapest(track: Track, pace: Pace, rules: OdometerRules) -> Path:
    """The cheapest story of each vehicle."""
    counts = np.diff(track.offsets)
    cars = np.argsort(-counts, kind="stable")
    walk = _Walk.of(track, track.offsets[:-1][cars], rules)
    prices = np.stack([step_prices(track, pace, rules, lag) for lag in range(1, SKIPS_MAX + 2)], axis=1)
    for rank in range(int(np.max(counts, initial=0))):
        active = int(np.searchsorted(-counts[cars], -rank, side="left"))
        walk.step(rank, active, prices)
    return walk.back()


@dataclass(slots=True)
class _Walk:
    """The state of all paths: believing a reading gains its price, the steps between cost theirs."""

    first: Ints  # (V) first row, the vehicles with the most readings first
    price: Floats  # (N) of leaving a row out
    swap_price: float
    recent: list[Floats]  # the costs of the cheapest paths to the last few ranks, the latest first
    came: NDArray[np.int8]  # (N) how many rows before it the path came from, or one of the codes below
    cut: Ints  # (N) where a segment begins: the row believed before, else -1
    best: Floats  # (V) the cheapest end so far
    best_row: Ints  # (V)

    @classmethod
    def of(cls, track: Track, first: Ints, rules: OdometerRules) -> _Walk:
        rows, vehicles = len(track.time_d), len(first)
        return cls(
            first=first,
            price=np.where(track.must, _MUST_PRICE, rules.reject_price),
            swap_price=rules.swap_price,
            recent=[],
            came=np.zeros(rows, dtype=np.int8),
            cut=np.full(rows, -1, dtype=np.int64),
            best=np.full(vehicles, _NEVER),
            best_row=np.full(vehicles, -1, dtype=np.int64),
        )

    def step(self, rank: int, active: int, prices: Floats) -> None:
        """Go on to the reading ``rank`` of the first ``active`` vehicles; ``prices`` (N, lags) of steps."""
        row = self.first[:active] + rank
        step_prices_ = prices[row]
        cost = self.best[:active] + self.swap_price
        came = np.where(cost < 0.0, np.int8(_SWAP), np.int8(_START))
        np.minimum(cost, 0.0, out=cost)
        for lag, earlier in enumerate(self.recent, start=1):
            follows = earlier[:active] + step_prices_[:, lag - 1]
            better = follows <= cost
            np.copyto(cost, follows, where=better)
            np.copyto(came, np.int8(lag), where=better)
        self.came[row] = came
        swaps = np.flatnonzero(came == _SWAP)
        self.cut[row[swaps]] = self.best_row[swaps]
        cost -= self.price[row]
        ends = cost < self.best[:active]
        np.copyto(self.best[:active], cost, where=ends)
        np.copyto(self.best_row[:active], row, where=ends)
        self.recent = [cost, *self.recent[:SKIPS_MAX]]

    def back(self) -> Path:
        """Follow the cheapest paths from their ends."""
        kept = np.zeros(len(self.came), dtype=np.bool_)
        row = self.best_row[self.best_row >= 0]
        while len(row):
            kept[row] = True
            came = self.came[row]
            row = np.where(came == _SWAP, self.cut[row], row - came)[came != _START]
        return Path(kept, kept & (self.came == _SWAP))

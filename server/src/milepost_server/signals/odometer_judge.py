"""The bench on which contradicting odometer readings are judged, one rank of all vehicles at a time.

Whether a reading counts depends on those before it, so a vehicle's readings are taken in turn; but the k-th
readings of all vehicles are taken together. Only vehicles with a contradiction come here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from milepost_server.signals.flat import Bools, Floats, Ints


class Slip(enum.IntEnum):
    """What is wrong with a reading beside its neighbours; below 10 it is kept all the same."""

    NONE = 0
    LEVELLED = 1
    TENFOLD = 2
    BACKWARD = 10
    JUMP = 11


class Rules(Protocol):
    """The part of ``odometer.OdometerRules`` that judging needs."""

    @property
    def confirmations(self) -> int: ...
    @property
    def slack_m(self) -> float: ...
    @property
    def burst_m_per_d(self) -> float: ...
    @property
    def burst_d(self) -> float: ...
    @property
    def sustained_m_per_d(self) -> float: ...


def may_follow(step_m: Floats, step_d: Floats, tolerance_m: Floats, rules: Rules) -> Bools:
    """Whether a car's odometer can show ``step_m`` (Q) more after ``step_d`` (Q) days."""
    days = np.maximum(step_d, 0.0)
    burst = np.minimum(days, rules.burst_d)
    reach_m = rules.slack_m + burst * rules.burst_m_per_d + (days - burst) * rules.sustained_m_per_d
    return (step_m >= -tolerance_m) & (step_m <= reach_m)


@dataclass(slots=True)
class Bench:
    """N located readings of V vehicles in the order of time; judging fills the last three arrays."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N)
    reported_m: Floats  # (N)
    tolerance_m: Floats  # (N)
    value_m: Floats = field(init=False)  # (N) as used
    slip: Ints = field(init=False)  # (N) of `Slip`
    segment: Ints = field(init=False)  # (N)

    def __post_init__(self) -> None:
        self.value_m = self.reported_m.astype(np.float64)
        self.slip = np.full(len(self.time_d), Slip.NONE, dtype=np.int64)
        self.segment = np.zeros(len(self.time_d), dtype=np.int64)

    def judge(self, contradicted: Bools, rules: Rules) -> None:
        """Judge the readings of the ``contradicted`` vehicles (V)."""
        vehicle = np.flatnonzero(contradicted)
        start, count = self.offsets[vehicle], np.diff(self.offsets)[vehicle]
        state = _State.of(len(vehicle), rules.confirmations)
        for rank in range(int(np.max(count, initial=0))):
            active = np.flatnonzero(count > rank)
            self._judge_rank(state, active, start[active] + rank, rules)

    def _judge_rank(self, state: _State, active: Ints, row: Ints, rules: Rules) -> None:
        value, tolerance = self.reported_m[row], self.tolerance_m[row]
        base = state.base[active]
        allowed = np.maximum(tolerance, state.tolerance_m[active])
        known = base >= 0
        base_m, days = self.value_m[base], self.time_d[row] - self.time_d[base]
        fits = ~known | may_follow(value - base_m, days, allowed, rules)
        tenth = ~fits & may_follow(value / 10 - base_m, days, allowed, rules)
        self.slip[row[tenth]] = Slip.TENFOLD

        used = np.where(tenth, value / 10, value)
        taken = fits | tenth
        fell = taken & known & (used < base_m)
        self.slip[row[fell & ~tenth]] = Slip.LEVELLED
        self.value_m[row[taken]] = np.where(fell, base_m, used)[taken]
        self.segment[row] = state.segment[active]
        # After a fall the tolerance that allowed it goes on, for the values that follow fell as well.
        state.take(active[taken], row[taken], np.where(fell, allowed, tolerance)[taken])

        waits = np.flatnonzero(~taken)
        self.slip[row[waits]] = np.where(value[waits] < base_m[waits], Slip.BACKWARD, Slip.JUMP)
        self._wait(state, active[waits], row[waits], rules)

    def _wait(self, state: _State, car: Ints, row: Ints, rules: Rules) -> None:
        """Let contradicting readings wait for company, and hear the case when there is enough."""
        last = state.waiting[car, np.maximum(state.waits[car] - 1, 0)]
        joins = (state.waits[car] > 0) & may_follow(
            self.reported_m[row] - self.reported_m[last],
            self.time_d[row] - self.time_d[last],
            self.tolerance_m[row],
            rules,
        )
        state.waits[car] = np.where(joins, state.waits[car], 0)
        state.waiting[car, state.waits[car]] = row
        state.waits[car] += 1
        self._overrule(state, car[state.waits[car] == rules.confirmations], rules)

    def _overrule(self, state: _State, car: Ints, rules: Rules) -> None:
        """The waiting readings are right: convict the one that stood against them, or begin a segment."""
        first, base, before = state.waiting[car, 0], state.base[car], state.before[car]
        convicted = (before >= 0) & may_follow(
            self.reported_m[first] - self.value_m[before],
            self.time_d[first] - self.time_d[before],
            self.tolerance_m[first],
            rules,
        )
        self.slip[base[convicted]] = np.where(
            self.value_m[base] < self.value_m[before], Slip.BACKWARD, Slip.JUMP
        )[convicted]
        state.segment[car[~convicted]] += 1
        rows = state.waiting[car]
        self.slip[rows] = Slip.NONE
        self.segment[rows] = state.segment[car][:, None]
        floor = np.where(convicted, self.value_m[before], 0.0)[:, None]
        self.value_m[rows] = np.maximum(np.maximum.accumulate(self.reported_m[rows], axis=1), floor)
        state.base[car], state.before[car] = rows[:, -1], rows[:, -2]
        state.tolerance_m[car] = self.tolerance_m[rows[:, -1]]
        state.waits[car] = 0


@dataclass(slots=True)
class _State:
    """What each vehicle (V) on the bench has come to: rows of the bench, -1 for none."""

    base: Ints  # (V) the last row that was kept
    before: Ints  # (V) the one kept before it, of the same segment
    tolerance_m: Floats  # (V) of the base
    segment: Ints  # (V)
    waiting: Ints  # (V, confirmations) rows that contradict, in order
    waits: Ints  # (V) how many of them

    @classmethod
    def of(cls, vehicles: int, confirmations: int) -> _State:
        return cls(
            base=np.full(vehicles, -1, dtype=np.int64),
            before=np.full(vehicles, -1, dtype=np.int64),
            tolerance_m=np.zeros(vehicles),
            segment=np.zeros(vehicles, dtype=np.int64),
            waiting=np.full((vehicles, confirmations), -1, dtype=np.int64),
            waits=np.zeros(vehicles, dtype=np.int64),
        )

    def take(self, car: Ints, row: Ints, tolerance_m: Floats) -> None:
        self.before[car] = self.base[car]
        self.base[car] = row
        self.tolerance_m[car] = tolerance_m
        self.waits[car] = 0

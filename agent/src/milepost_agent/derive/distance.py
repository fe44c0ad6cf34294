"""Distance: the car's own odometer where it has one, else an anchor plus integrated speed.

Where the error of integrated speed comes from, as one standard deviation:

- scale: the speed on the bus is off by a fixed share (tyre wear and pressure, the maker's calibration, and
  the half km/h that whole numbers cut off); fully correlated, so it grows with the distance;
- resolution: whole km/h, independent from step to step;
- gaps: after ``GAP_S_MAX`` without a reading nothing is integrated; what was driven unseen is unknown, and
  enters the uncertainty as if the last speed had been held for up to ``GAP_UNKNOWN_S_MAX``; a restart of the
  agent counts as ``RESTART_S`` of it, since nobody knows how long it took.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent import paths
from milepost_agent.derive.accumulator import Steps, saved_number, saved_number_or_none
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State, Step

GAP_S_MAX: Final = 5.0
GAP_UNKNOWN_S_MAX: Final = 600.0
RESTART_S: Final = 60.0
SCALE_SIGMA: Final = 0.02
RESOLUTION_SIGMA_MPS: Final = 1 / 3.6 / math.sqrt(12)
CAR_SILENT_M_MAX: Final = 2_000.0
"""Integrated distance without a word from the car's odometer, after which the anchor speaks instead."""


class Belief(NamedTuple):
    """What an odometer is taken to show: metres, one standard deviation, and whether the car says so."""

    odometer_m: float
    sigma_m: float
    is_cars_own: bool


class Distance:
    """Integrated distance in metres, and the odometer.

    ``anchor_odometer_m`` is the last reading that a person entered, ``anchor_id`` names that entry (its
    date): another entry anchors anew at the distance integrated so far, the same entry does not.
    """

    name = "distance"
    inputs = frozenset({paths.SPEED, paths.ODOMETER})

    def __init__(
        self,
        anchor_odometer_m: float | None = None,
        anchor_id: str = "",
        anchor_sigma_m: float = 1_000.0,
    ) -> None:
        self._steps = Steps()
        self._speed_mps = 0.0
        self._integrated_m = 0.0
        self._random_m2 = 0.0
        self._heard_car_at_m: float | None = None
        self._anchor: _Anchor | None = None
        self._entry = "" if anchor_odometer_m is None else f"{anchor_odometer_m:.0f}@{anchor_id}"
        self._entry_used = ""
        self._entered_m = anchor_odometer_m
        self._entered_sigma_m = anchor_sigma_m
        self._anchor_at_entry()

    @property
    def integrated_m(self) -> float:
        return self._integrated_m

    @property
    def sigma_m(self) -> float:
        """One standard deviation of ``integrated_m``, metres."""
        return math.hypot(SCALE_SIGMA * self._integrated_m, math.sqrt(self._random_m2))

    @property
    def odometer(self) -> Belief | None:
        """What the odometer is taken to show now; ``None``: nothing is known."""
        if self._anchor is None:
            return None
        return Belief(
            self._anchor.odometer_m(self._integrated_m),
            self._anchor.sigma_m(self._integrated_m, self._random_m2),
            self._car_speaks(),
        )

    def anchor(self, odometer_m: float, sigma_m: float) -> None:
        """Go on from what a person read from the instrument just now, unless the car tells it by itself."""
        if not self._car_speaks():
            self._anchor = _Anchor(odometer_m, self._integrated_m, self._random_m2, sigma_m)

    def entered(self, odometer_m: float, sigma_m: float, mono_s: float) -> list[Reading]:
        """What a person read from the instrument at ``mono_s``."""
        return [
            Reading(paths.ODOMETER_SOURCE, "entered", mono_s),
            Reading(paths.ODOMETER_UNCERTAINTY, sigma_m, mono_s),
            Reading(paths.ODOMETER, round(odometer_m), mono_s),
        ]

    def ignore_entry(self) -> None:
        """Never anchor at the configured reading, not after a restart either: it is another car's.

        Call it before ``restore``.
        """
        self._entered_m, self._entry_used, self._anchor = None, self._entry, None

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.ODOMETER:
            return self._feed_car(float(reading.value), reading.mono_s)
        self._speed_mps = abs(float(reading.value)) / 3.6
        step = self._steps.feed(self._speed_mps, reading.mono_s)
        if step is None or not self._integrate(step):
            return []
        return self._readings(reading.mono_s)

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - distance does not grow by time alone
        return []

    def _integrate(self, step: Step) -> bool:
        """Add one step; False where nothing changed, as when the car stands."""
        mean_mps = (step.before + step.after) / 2
        seen_s = min(step.seconds, GAP_S_MAX)
        unseen_s = min(step.seconds - seen_s, GAP_UNKNOWN_S_MAX)
        if mean_mps == 0.0:
            return False
        self._integrated_m += mean_mps * seen_s
        self._random_m2 += (RESOLUTION_SIGMA_MPS * seen_s) ** 2 + (mean_mps * unseen_s) ** 2
        return True

    def _feed_car(self, odometer_m: float, mono_s: float) -> list[Reading]:
        self._heard_car_at_m = self._integrated_m
        self._anchor = _Anchor(odometer_m, self._integrated_m, self._random_m2, 0.0)
        return [
            Reading(paths.ODOMETER_SOURCE, "car", mono_s),
            Reading(paths.ODOMETER_UNCERTAINTY, 0.0, mono_s),
            Reading(paths.ODOMETER, round(odometer_m), mono_s),
        ]

    def _readings(self, mono_s: float) -> list[Reading]:
        readings = [
            Reading(paths.DISTANCE, self._integrated_m, mono_s),
            Reading(paths.DISTANCE_UNCERTAINTY, self.sigma_m, mono_s),
        ]
        if self._anchor is None or self._car_speaks():
            return readings
        return [
            *readings,
            Reading(paths.ODOMETER_SOURCE, "anchored", mono_s),
            Reading(
                paths.ODOMETER_UNCERTAINTY, self._anchor.sigma_m(self._integrated_m, self._random_m2), mono_s
            ),
            Reading(paths.ODOMETER, round(self._anchor.odometer_m(self._integrated_m)), mono_s),
        ]

    def _car_speaks(self) -> bool:
        heard = self._heard_car_at_m
        return heard is not None and self._integrated_m - heard <= CAR_SILENT_M_MAX

    def _anchor_at_entry(self) -> None:
        if self._entered_m is None or self._entry == self._entry_used:
            return
        self._entry_used = self._entry
        if not self._car_speaks():
            self._anchor = _Anchor(
                self._entered_m, self._integrated_m, self._random_m2, self._entered_sigma_m
            )

    def state(self) -> State:
        return {
            "integrated_m": round(self._integrated_m, 2),
            "random_m2": round(self._random_m2, 3),
            "speed_mps": round(self._speed_mps, 2),
            "heard_car_at_m": self._heard_car_at_m,
            "entry": self._entry_used,
            "anchor": None if self._anchor is None else self._anchor.state(),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        anchor = state.get("anchor")
        if anchor is not None and not isinstance(anchor, dict):
            raise EdgeStateError(self.name, f"have {str(anchor)[:64]!r} as anchor")
        restored = None if anchor is None else _Anchor.restored(anchor)
        integrated_m = saved_number(self.name, state, "integrated_m")
        random_m2 = saved_number(self.name, state, "random_m2")
        unseen_m = saved_number(self.name, state, "speed_mps") * RESTART_S
        self._heard_car_at_m = saved_number_or_none(self.name, state, "heard_car_at_m")
        self._integrated_m, self._random_m2 = integrated_m, random_m2 + unseen_m**2
        self._anchor = restored
        if self._entered_m is not None:
            self._entry_used = str(state.get("entry", ""))
        self._anchor_at_entry()


class _Anchor:
    """An odometer reading tied to the integrated distance at that moment."""

    def __init__(self, odometer_m: float, integrated_m: float, random_m2: float, sigma_m: float) -> None:
        self._odometer_m = odometer_m
        self._integrated_m = integrated_m
        self._random_m2 = random_m2
        self._sigma_m = sigma_m

    def odometer_m(self, integrated_m: float) -> float:
        return self._odometer_m + integrated_m - self._integrated_m

    def sigma_m(self, integrated_m: float, random_m2: float) -> float:
        """The anchor's own error, and what integration added since: metres."""
        scale_m = SCALE_SIGMA * (integrated_m - self._integrated_m)
        return math.sqrt(self._sigma_m**2 + scale_m**2 + max(0.0, random_m2 - self._random_m2))

    def state(self) -> State:
        return {
            "odometer_m": self._odometer_m,
            "integrated_m": round(self._integrated_m, 2),
            "random_m2": round(self._random_m2, 3),
            "sigma_m": self._sigma_m,
        }

    @classmethod
    def restored(cls, state: Mapping[str, object]) -> _Anchor:
        keys = ("odometer_m", "integrated_m", "random_m2", "sigma_m")
        return cls(*(saved_number(Distance.name, state, key) for key in keys))

"""Wear as sensors and mechanics see it: by position on the car, with noise, in steps, and with gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.items import TREAD_LIMIT_MM, TREAD_NEW_MM, Channel
from milepost_simulator.fleet.makes import FLEET_MODELS
from milepost_simulator.fleet.state import HAS, ITEM_OF_CHANNEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.lot import Lot

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

MISSING = 0.1
PAD_NOISE, TREAD_NOISE_MM, OIL_NOISE = 1.2, 0.15, 1.5

HAS_OIL_MONITOR = np.array([model.has_oil_monitor for model in FLEET_MODELS])


class Position(NamedTuple):
    """A place at which wear is measured: how fast it goes there, and from what value to what."""

    signal: str
    channel: Channel
    factor: float
    new: float
    used_up: float
    """The value at a used share of 1."""
    lowest: float
    highest: float
    step: float
    noise: float


def _pads(channel: Channel, row: str, side: str, factor: float) -> Position:
    signal = f"Vehicle.Chassis.Axle.{row}.Wheel.{side}.Brake.PadWear"
    return Position(signal, channel, factor, 0.0, 100.0, 0.0, 100.0, 1.0, PAD_NOISE)


def _tyre(wheel: str, factor: float) -> Position:
    signal = f"Vehicle.Milepost.Tire.{wheel}.TreadDepth"
    noise = TREAD_NOISE_MM
    return Position(
        signal, Channel.TYRES, factor, TREAD_NEW_MM, TREAD_LIMIT_MM, 0.0, TREAD_NEW_MM, 0.1, noise
    )


POSITIONS = (
    _pads(Channel.FRONT_PADS, "Row1", "Left", 1.0),
    _pads(Channel.FRONT_PADS, "Row1", "Right", 0.93),
    _pads(Channel.REAR_PADS, "Row2", "Left", 1.0),
    _pads(Channel.REAR_PADS, "Row2", "Right", 0.95),
    _tyre("Row1.Left", 1.0),
    _tyre("Row1.Right", 0.97),
    _tyre("Row2.Left", 0.8),
    _tyre("Row2.Right", 0.82),
    Position("Vehicle.Milepost.Engine.OilLife", Channel.OIL, 1.0, 100.0, 0.0, 0.0, 100.0, 1.0, OIL_NOISE),
)


class Looks(NamedTuple):
    """Moments (N) at which somebody or something looks at a car of the lot; days are indices."""

    row: Ints
    day: Ints
    hour_d: Floats
    at_parts: Bools
    """Whether pads and tyres are looked at."""
    at_monitor: Bools
    """Whether the oil life is read, where the car counts it."""

    def rows(self, which: Ints) -> Looks:
        """Some of them, or all in another order."""
        moments = self.row[which], self.day[which], self.hour_d[which]
        return Looks(*moments, self.at_parts[which], self.at_monitor[which])


@dataclass(frozen=True, slots=True)
class WearReadings:
    """Wear readings of a lot; ``true_share`` is truth: the used share of the channel, at most 1.3."""

    row: Ints
    day: Ints
    hour_d: Floats
    position: Ints
    value: Floats
    true_share: Floats


def measure(rng: np.random.Generator, lot: Lot, looks: Looks) -> WearReadings:
    """What is seen on ``looks``, by row, day and position."""
    shares = {channel: _shares(lot, looks, channel) for channel in Channel}
    parts = []
    for number, position in enumerate(POSITIONS):
        has, share = shares[position.channel]
        seen = np.flatnonzero(has & (rng.random(len(has)) >= MISSING))
        value = position.new + share[seen] * position.factor * (position.used_up - position.new)
        value += rng.normal(0.0, position.noise, len(seen))
        value = np.clip(np.rint(value / position.step) * position.step, position.lowest, position.highest)
        place = np.full(len(seen), number)
        parts.append((looks.row[seen], looks.day[seen], looks.hour_d[seen], place, value, share[seen]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[3], columns[1], columns[0]))
    return WearReadings(*(column[order] for column in columns))


def _shares(lot: Lot, looks: Looks, channel: Channel) -> tuple[Bools, Floats]:
    """Which looks see the channel at all, and its true used share there."""
    model, item = lot.population.model[looks.row], int(ITEM_OF_CHANNEL[channel])
    has = HAS[model, item]
    is_oil = channel is Channel.OIL
    has = has & (looks.at_monitor & HAS_OIL_MONITOR[model] if is_oil else looks.at_parts)
    share = np.zeros(len(has))
    row, day = looks.row[has], looks.day[has]
    share[has] = lot.life.lives.worn(row, np.full(len(row), item), day)
    return has, share

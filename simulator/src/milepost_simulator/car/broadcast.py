"""What a car says on its bus by itself: the frames of ``example-combustion.dbc``, put into bytes by hand.

That file belongs to the agent's example profile and is made up, as this car is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.car import pids
from milepost_simulator.car.can_unit import CanFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_simulator.car.snapshot import Snapshot

ENGINE = 272
MOTION = 288
CLUSTER = 0x19000000
KEY_OFF = 0
KEY_ON = 2


class Broadcast(NamedTuple):
    """A frame that comes every ``period_s``; ``when_off``: for a while after the ignition went off, too."""

    period_s: float
    make: Callable[[Snapshot], CanFrame]
    when_off: bool = False


def _engine(now: Snapshot) -> CanFrame:
    rpm, coolant = now.values.get(pids.ENGINE_SPEED), now.values.get(pids.COOLANT)
    oil, volts = now.values.get(pids.OIL), now.values.get(pids.VOLTAGE)
    data = _little(None if rpm is None else rpm * 4, 2)
    data += _little(None if coolant is None else coolant + 40, 1)
    data += _little(None if oil is None else (oil * 1.8 + 32 + 40) / 2, 1)
    return CanFrame(
        ENGINE, False, (data + _little(None if volts is None else volts * 1000, 2)).ljust(8, b"\0")
    )


def _motion(now: Snapshot) -> CanFrame:
    speed = now.values.get(pids.SPEED)
    data = _little(None if speed is None else speed * 100, 2)[::-1]
    return CanFrame(MOTION, False, data.ljust(8, b"\0"))


def _cluster(now: Snapshot) -> CanFrame:
    return CanFrame(CLUSTER, True, bytes((KEY_ON if now.is_ignition_on else KEY_OFF, 0, 0, 0)))


def _little(value: float | None, length: int) -> bytes:
    """A number in so many bytes, lowest first; all ones where there is none."""
    unknown = (1 << 8 * length) - 1
    raw = unknown if value is None else max(0, min(int(value + 0.5), unknown - 1))
    return raw.to_bytes(length, "little")


BROADCASTS = (Broadcast(0.02, _engine), Broadcast(0.02, _motion), Broadcast(0.1, _cluster, when_off=True))

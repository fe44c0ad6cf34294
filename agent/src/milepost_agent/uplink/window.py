"""How much may be under way to the broker: bounded in batches and bytes, by the measured rate of the link.

On a slow link whatever was handed over stands in a queue that nothing can overtake, a fault neither. So the
bytes under way follow the rate: ``QUEUE_S`` of it, in batches of half that, which is enough to keep the link
busy while the next batch is made. The rate is what PUBACKs show: bytes acknowledged between the sending of a
batch and its PUBACK, over the time that this took. Pure; times are those of the monotonic clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost_agent.uplink.link import Granted

QUEUE_S: Final = 4.0
"""What may stand in the link before something urgent, in seconds of its rate."""
BYTES_FIRST: Final = 8 * 1024
"""Under way before the first PUBACK has come."""
BYTES_MIN: Final = 4 * 1024
"""Under way at any rate: below, the framing of each batch costs more than the wait."""
BATCH_BYTES_MAX: Final = 60 * 1024
BATCHES_A_QUEUE: Final = 2
RATES_KEPT: Final = 8
"""The rate is the best of so many last ones: a batch that went alone shows the link's delay, not its rate."""
TICK_S: Final = 1e-3
"""Less than this between two events is not measured."""
FRAMING_BYTES_MAX: Final = 96
"""Of a message, beside its payload: header, topic of a device with the longest name, properties."""


@dataclass(slots=True, eq=False)
class Crossing:
    """A batch on its way to the broker."""

    size_bytes: int
    delivered_before: int
    measured_from_s: float


class Window:
    """Counts what crosses one connection; ``batches_max`` and ``bytes_max`` hold at any rate."""

    def __init__(self, batches_max: int, bytes_max: int, granted: Granted) -> None:
        in_flight = (batches_max, granted.in_flight_max)
        self._batches_max = min(known for known in in_flight if known is not None)
        self._bytes_max = bytes_max
        packet = granted.packet_bytes_max
        self._batch_bytes_max = BATCH_BYTES_MAX if packet is None else max(1, packet - FRAMING_BYTES_MAX)
        self._crossings: list[Crossing] = []
        self._delivered = 0
        self._delivered_s = 0.0
        self._rates: deque[float] = deque(maxlen=RATES_KEPT)

    @property
    def rate_bytes_s(self) -> float | None:
        """Bytes a second, None before the first PUBACK."""
        return max(self._rates, default=None)

    @property
    def bytes_under_way(self) -> int:
        return sum(crossing.size_bytes for crossing in self._crossings)

    @property
    def bytes_max(self) -> int:
        """What may be under way now."""
        rate = self.rate_bytes_s
        wanted = BYTES_FIRST if rate is None else round(rate * QUEUE_S)
        return max(BYTES_MIN, min(wanted, self._bytes_max))

    @property
    def batch_bytes_max(self) -> int:
        """How large the next batch may be."""
        return min(self.bytes_max // BATCHES_A_QUEUE, BATCH_BYTES_MAX, self._batch_bytes_max)

    def has_room(self) -> bool:
        """Whether another batch may go."""
        if not self._crossings:
            return True
        is_few = len(self._crossings) < self._batches_max
        return is_few and self.bytes_under_way + self.batch_bytes_max <= self.bytes_max

    def sent(self, size_bytes: int, now_s: float) -> Crossing:
        """A batch was handed to the link."""
        if not self._crossings:
            self._delivered_s = now_s
        crossing = Crossing(size_bytes, self._delivered, self._delivered_s)
        self._crossings.append(crossing)
        return crossing

    def acknowledged(self, crossing: Crossing, now_s: float) -> None:
        """Its PUBACK came."""
        self._crossings.remove(crossing)
        self._delivered += crossing.size_bytes
        self._delivered_s = now_s
        took_s = max(TICK_S, now_s - crossing.measured_from_s)
        self._rates.append((self._delivered - crossing.delivered_before) / took_s)

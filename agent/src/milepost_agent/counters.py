"""The counters of one car: all accumulators of ``derive/``, fed and saved as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_agent.derive.brakes import Brakes
from milepost_agent.derive.distance import Distance
from milepost_agent.derive.engine import Engine
from milepost_agent.derive.faults import Faults
from milepost_agent.derive.starts import Starts
from milepost_agent.derive.trips import Trips
from milepost_agent.derive.voltage import Voltage
from milepost_agent.errors import EdgeStateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import Accumulator, State
    from milepost_agent.readings import Reading


class Counters:
    """Gives each reading to the accumulators that want it."""

    def __init__(self, distance: Distance, mass_kg: float, rest_s: float) -> None:
        self.distance = distance
        self.voltage = Voltage(rest_s)
        self._accumulators: tuple[Accumulator, ...] = (
            distance,
            Engine(),
            Starts(),
            Brakes(mass_kg),
            self.voltage,
            Faults(),
            Trips(),
        )
        self._by_input: dict[str, tuple[Accumulator, ...]] = {
            signal: tuple(a for a in self._accumulators if signal in a.inputs)
            for signal in frozenset().union(*(a.inputs for a in self._accumulators))
        }

    def inputs(self) -> Mapping[str, frozenset[str]]:
        """The signals that each accumulator reads, by its name."""
        return {a.name: a.inputs for a in self._accumulators}

    def feed(self, reading: Reading) -> list[Reading]:
        """What follows from ``reading``."""
        return [derived for a in self._by_input.get(reading.signal, ()) for derived in a.feed(reading)]

    def tick(self, mono_s: float) -> list[Reading]:
        """What follows from time alone."""
        return [derived for a in self._accumulators for derived in a.tick(mono_s)]

    def state(self) -> dict[str, State]:
        """All counters by accumulator, as JSON can hold them (a kilobyte)."""
        return {a.name: a.state() for a in self._accumulators}

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up what ``state`` gave; accumulators that it does not know yet begin at nothing.

        Raises:
            EdgeStateError: not what ``state`` gives; throw these counters away then.
        """
        for accumulator in self._accumulators:
            accumulator.restore(state_part(state, accumulator.name))


def state_part(state: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The table ``name`` of a saved state; empty where there is none.

    Raises:
        EdgeStateError: it is something else.
    """
    part = state.get(name, {})
    if not isinstance(part, dict):
        raise EdgeStateError(name, f"are {str(part)[:64]!r}, not a table")
    return part

"""What health looks at: the parts of an agent, by the names under which the agent has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milepost_agent.buffer.recorder import Recorder
    from milepost_agent.clock import ClockReading
    from milepost_agent.edge import Edge
    from milepost_agent.entry.desk import EntryDesk
    from milepost_agent.health.flash import FlashMeter
    from milepost_agent.power.keeper import Keeper
    from milepost_agent.readings import Source
    from milepost_agent.remote.remote import Remote
    from milepost_agent.tasks import Task
    from milepost_agent.uplink.uplink import Uplink


class Observed(Protocol):
    """An agent as its health room knows it; nothing here is changed by looking."""

    clock: Callable[[], ClockReading]
    recorder: Recorder
    flash: FlashMeter
    uplink: Uplink
    edge: Edge
    edge_state_error: str
    desk: EntryDesk
    remote: Remote
    keeper: Keeper

    @property
    def sources(self) -> Mapping[str, Source]:
        """By name."""
        ...

    @property
    def tasks(self) -> Sequence[Task]:
        """All rows of the table."""
        ...

    @property
    def uptime_s(self) -> float:
        """Seconds since the agent was built."""
        ...

"""What passes between the rooms of the agent: readings, and the sources that they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from milepost_agent.pulse import Pulse
    from milepost_protocol.signals import Value


class Reading(NamedTuple):
    """One value of one signal, read or derived at ``mono_s`` seconds of the machine's monotonic clock."""

    signal: str
    value: Value
    mono_s: float


class Source(Protocol):
    """Something that reads a car.

    A source never ends by itself: it reconnects, with a bounded backoff, until it is cancelled.
    """

    @property
    def name(self) -> str:
        """A short name for logs and status, unique within the agent."""
        ...

    def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings from now on, in the order in which they were read."""
        ...

    def status(self) -> Mapping[str, Value]:
        """What ``milepost-agent status`` shows of this source."""
        ...


@runtime_checkable
class PulsingSource(Source, Protocol):
    """A source whose loop can be seen to turn; the watchdog starts the agent anew when it hangs."""

    @property
    def pulse(self) -> Pulse:
        """Of the loop behind ``readings``."""
        ...

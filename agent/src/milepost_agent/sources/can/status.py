"""What the agent's status shows of a CAN bus: where the session stands, and what went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.errors import SourceError
    from milepost_agent.sources.can.bus import Bus
    from milepost_agent.sources.can.exchange import Exchange
    from milepost_agent.sources.can.listening import Listener
    from milepost_protocol.signals import Value


@dataclass(slots=True)
class Status:
    """Counts since the start; ``state`` is a word such as searching, reading, listening, parked, closed."""

    state: str = "connecting"
    profile: str = ""
    is_quiet: bool = False
    connects: int = 0
    failures: int = 0
    requests: int = 0
    silences: int = 0
    refusals: int = 0
    pendings: int = 0
    garbled: int = 0
    strays: int = 0
    readings: int = 0
    last_error: str = ""
    bus: Bus | None = None
    listener: Listener | None = None
    _closed: Counter[str] = field(default_factory=Counter)

    def count(self, exchange: Exchange) -> None:
        """Count one request and what came of it."""
        reply = exchange.reply()
        self.requests += 1
        self.silences += reply.is_silence
        self.refusals += len(reply.refusals)
        self.pendings += exchange.pendings
        self.garbled += reply.garbled
        self.strays += exchange.strays

    def failed(self, error: SourceError) -> None:
        """Note that the connection was given up."""
        self.state = "failed"
        self.failures += 1
        self.last_error = str(error)

    def opened(self, bus: Bus) -> None:
        """Note that a bus is open."""
        self.bus = bus
        self.connects += 1

    def closed(self) -> None:
        """Note that the bus is closed; its counts stay."""
        if self.bus is not None:
            self._closed.update(self.bus.counts())
        self.bus = None

    def table(self) -> Mapping[str, Value]:
        """All of it, flat."""
        frames = Counter(self._closed)
        if self.bus is not None:
            frames.update(self.bus.counts())
        listener = self.listener
        return {
            "state": self.state,
            "bus": "quiet" if self.is_quiet else "awake",
            "profile": self.profile,
            "passive": self.bus is not None and self.bus.is_passive,
            "connects": self.connects,
            "failures": self.failures,
            "requests": self.requests,
            "silences": self.silences,
            "refusals": self.refusals,
            "pendings": self.pendings,
            "garbled": self.garbled + (listener.garbled if listener else 0),
            "invalid": listener.invalid if listener else 0,
            "strays": self.strays,
            "readings": self.readings,
            "last_error": self.last_error,
            **{f"frames_{name}": count for name, count in sorted(frames.items())},
        }

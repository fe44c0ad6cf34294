"""What the agent's status shows of an adapter: where the session stands, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.errors import SourceError
    from milepost_agent.sources.elm327.adapter import Adapter
    from milepost_agent.sources.elm327.reply import AdapterReply
    from milepost_protocol.signals import Value


@dataclass(slots=True)
class Status:
    """Counts since the agent started; ``state`` is connecting, searching, reading, parked, closed or
    failed."""

    state: str = "connecting"
    profile: str = ""
    connects: int = 0
    failures: int = 0
    requests: int = 0
    silences: int = 0
    refusals: int = 0
    garbled: int = 0
    readings: int = 0
    last_error: str = ""
    adapter: Adapter | None = None
    notices: dict[str, int] = field(default_factory=dict)

    def count(self, reply: AdapterReply) -> None:
        """Count one request and what came of it."""
        self.requests += 1
        self.silences += reply.is_silence
        self.refusals += len(reply.refusals)
        self.garbled += reply.garbled
        for notice in reply.notices:
            self.notices[notice.name.lower()] = self.notices.get(notice.name.lower(), 0) + 1

    def failed(self, error: SourceError) -> None:
        """Note that the connection was given up."""
        self.state = "failed"
        self.failures += 1
        self.last_error = str(error)

    def table(self) -> Mapping[str, Value]:
        """All of it, flat."""
        counts: dict[str, Value] = {
            "state": self.state,
            "profile": self.profile,
            "connects": self.connects,
            "failures": self.failures,
            "requests": self.requests,
            "silences": self.silences,
            "refusals": self.refusals,
            "garbled": self.garbled,
            "readings": self.readings,
            "last_error": self.last_error,
        }
        if self.adapter is not None:
            counts["timeouts"] = self.adapter.timeouts
            counts["truncated"] = self.adapter.truncated
            counts["mangled"] = self.adapter.mangled
            counts["echoes"] = self.adapter.echoes
            counts["unknown_settings"] = " ".join(self.adapter.unknown_settings)
        return counts | {f"notice_{name}": count for name, count in sorted(self.notices.items())}

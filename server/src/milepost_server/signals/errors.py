"""What the signals room raises.

::

    ServerError
    +-- ScheduleError   a schedule of service items that cannot be used; says which item and field
    +-- RulesError      numbers of a configuration that contradict each other
    +-- DataFileError   any other file of facts that cannot be used; says which line or entry
"""

from __future__ import annotations

from milepost_server.errors import ServerError


class ScheduleError(ServerError):
    """A schedule of service items that cannot be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"schedule {name}: {why}")
        self.name = name
        self.why = why


class RulesError(ServerError):
    """Numbers of a configuration that contradict each other."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} rules: {why}")
        self.name = name
        self.why = why


class DataFileError(ServerError):
    """A file of facts (texts, prices, curves, limits) that cannot be used."""

    def __init__(self, name: str, place: str, why: str) -> None:
        super().__init__(f"{name}, {place}: {why}" if place else f"{name}: {why}")
        self.name = name
        self.place = place
        """Where in the file: ``line 12``, ``item 3, price``; empty for the file as a whole."""
        self.why = why

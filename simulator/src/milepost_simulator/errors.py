"""Everything that the simulator raises.

::

    SimulatorError
    +-- UnknownFaultCodeError   a trouble code that does not have the form PCBU + four digits
    +-- DriveFileError          a recorded drive that cannot be played
    +-- PortInUseError          the pseudo-terminal link or the TCP port is taken, the CAN interface absent
    +-- DemoError               the demo could not do what it promised
        +-- ProcessFailedError  a process of the demo ended, or never became ready
        +-- ServerRefusedError  the server answered a request of the demo with an error
        +-- ServerSilentError   the server did not answer at all
        +-- SamplesMissingError samples that an agent says are stored are not at the server
    +-- WorldError              a simulated world that cannot be, or cannot go on
        +-- WorldUnavailableError Python's SQLite cannot be given a simulated disk
        +-- WorldStuckError     something in a world waits for what will never come
        +-- ScenarioError       a scenario that cannot be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SimulatorError(Exception):
    """Base of all errors of this package."""


class UnknownFaultCodeError(SimulatorError):
    """A trouble code that cannot be put into two bytes."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{code[:32]!r} is no trouble code; give one like P0301, C1234, B0001 or U0100")
        self.code = code


class DriveFileError(SimulatorError):
    """A recorded drive that cannot be played."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; a drive is a CSV file with the columns of docs/simulator.md")
        self.path = path


class PortInUseError(SimulatorError):
    """The place where the car was to be served is taken."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"cannot serve the car at {place}: {why}; choose another place or end what holds it")
        self.place = place


class DemoError(SimulatorError):
    """The demo could not do what it promised."""


class ProcessFailedError(DemoError):
    """A process of the demo ended by itself, or did not become ready in time."""

    def __init__(self, name: str, why: str, log: Path) -> None:
        super().__init__(f"{name} {why}; its log is {log}")
        self.name = name
        self.log = log


class ServerRefusedError(DemoError):
    """The server answered a request of the demo with an error."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"the server answered {status} to {method} {path}: {body[:400]}")
        self.status = status


class ServerSilentError(DemoError):
    """The server did not answer a request of the demo."""

    def __init__(self, method: str, path: str, why: str) -> None:
        super().__init__(f"no answer to {method} {path} ({why}); see logs/server.log in the demo's folder")


class SamplesMissingError(DemoError):
    """Samples that an agent says are stored are not committed at the server."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("samples are missing at the server: " + "; ".join(missing))
        self.missing = tuple(missing)


class WorldError(SimulatorError):
    """A simulated world that cannot be, or cannot go on."""


class WorldUnavailableError(WorldError):
    """Python's own SQLite cannot be given a simulated disk."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Python's SQLite cannot be given a simulated disk: {why}; use a Python whose _sqlite3 module "
            "is linked to a shared libsqlite3"
        )


class WorldStuckError(WorldError):
    """Something in a world waits for what will never come."""


class ScenarioError(WorldError):
    """A scenario that cannot be read; ``name`` says which one."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"scenario {name}: {why}")
        self.name = name

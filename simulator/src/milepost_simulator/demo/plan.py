"""What a run of the demo is made of: places, sizes and limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OWNERS = 24
MONTHS = 18
SEED = 18
HTTP_PORT = 8000
LIVE_ONCE_S = 45.0
UPLOADS_AT_ONCE = 4
ROWS_PER_COMMIT = 2_000
READY_S_MAX = 60.0
DRAIN_S_MAX = 60.0
DERIVED_S_MAX = 60.0
STOP_S_MAX = 30.0
POLL_S = 0.1
DRIVE_NAME = "live5.csv"
DEALER = "Hartwell Motors"
TIMEZONE = "Europe/London"
MANAGER = "Alex Hartwell"
EMAIL = "alex@example.com"


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One run.

    Attributes:
        folder: where everything of this run is kept.
        drives: folder of recorded drives; the simulator makes its own where it is absent.
        once: run a bounded scenario, check it, and end.
        keep: go on with what an earlier run left in ``folder``.
        http_port: port of the pages; None takes ``HTTP_PORT``, or a free one where that is taken.
    """

    folder: Path
    drives: Path
    once: bool
    keep: bool
    http_port: int | None = None
    owners: int = OWNERS
    months: int = MONTHS
    seed: int = SEED
    live_once_s: float = LIVE_ONCE_S

    @property
    def server_folder(self) -> Path:
        """The server's data directory."""
        return self.folder / "server"

    @property
    def logs(self) -> Path:
        """What the processes say."""
        return self.folder / "logs"

    def device_folder(self, device_id: str) -> Path:
        """Configuration, secret and buffer of one device."""
        return self.folder / "devices" / device_id

    def recorded_drive(self) -> Path | None:
        """The real drive to play, None where this machine has none."""
        path = self.drives / DRIVE_NAME
        return path if path.is_file() else None

"""Everything that looks after a running agent: status socket, metrics file, watchdog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.health.document import status_document
from milepost_agent.health.endpoint import StatusServer
from milepost_agent.health.metrics_file import MetricsFile
from milepost_agent.health.watchdog import Watchdog
from milepost_agent.tasks import OnFailure, Task

if TYPE_CHECKING:
    from typing import Any

    from milepost_agent.health.sdnotify import ServiceManager
    from milepost_agent.health.seen import Observed
    from milepost_agent.settings import Config

STATUS_TASK: Final = "status"


class Health:
    """The part of an agent that tells others how it is; it never decides anything."""

    def __init__(self, config: Config, agent: Observed, manager: ServiceManager) -> None:
        self._config = config
        self._agent = agent
        self._manager = manager

    def tasks(self) -> tuple[Task, ...]:
        """Its rows of the table of tasks."""
        health = self._config.health
        status = StatusServer(Path(health.socket), self.status)
        metrics = MetricsFile(Path(health.metrics_file), health.metrics_interval_s, self.status)
        watchdog = Watchdog(
            self._manager,
            lambda: self._agent.tasks,
            lambda: self._agent.recorder.ask(lambda _store: None),
            lambda: self._agent.clock().mono_s,
            self._line,
        )
        rows = [Task(STATUS_TASK, status.run, OnFailure.RESTART)]
        if health.metrics_file:
            rows.append(Task("metrics", metrics.run, OnFailure.RESTART))
        if self._manager.watchdog_s:
            rows.append(Task("watchdog", watchdog.run, OnFailure.RESTART))
        return tuple(rows)

    async def status(self) -> dict[str, Any]:
        """The status document."""
        return await status_document(self._agent, self._config)

    def _line(self) -> str:
        uplink, recorder = self._agent.uplink, self._agent.recorder
        link = "connected" if uplink.is_connected else f"not connected: {uplink.last_error or 'trying'}"
        trouble = f"; NOT STORING: {recorder.last_error}" if recorder.last_error else ""
        return f"{recorder.sampled:,} samples since start; {link}{trouble}"

"""SIGKILL of every part of a road in turn, while agents store as fast as they can."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from support.road import BUSY_PROFILE, chosen_forever, write_busy_drive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from support.road import Road, Verdict

DRIVE_S = 3600
PAUSE_S = (0.2, 1.0)


class Killer:
    """Kills one part at a time and starts it again; ``others`` kill what is not the road's own."""

    def __init__(self, road: Road, others: Mapping[str, Callable[[], None]], seed: int) -> None:
        self._road = road
        self._rng = random.Random(seed)
        self._ways = {"agent": self._agent, "server": self._server} | dict(others)
        self._turns: Iterator[str] = chosen_forever(self._rng, list(self._ways))

    def kill(self, times: int) -> None:
        """Let it run for a moment, then kill; ``times`` times."""
        for _ in range(times):
            time.sleep(self._rng.uniform(*PAUSE_S))
            self._ways[next(self._turns)]()

    def _agent(self) -> None:
        agent = self._rng.choice(self._road.agents)
        agent.kill()
        agent.start()

    def _server(self) -> None:
        self._road.server.kill()
        self._road.server.start()


def drive_through(
    road: Road,
    kill_broker: Callable[[], None],
    *,
    kills: int,
    seed: int,
    kill_database: Callable[[], None] | None = None,
) -> Verdict:
    """Run agents through ``kills`` kills, drain, and compare what was stored with what was committed."""
    drive = road.folder / "drive.csv"
    write_busy_drive(drive, DRIVE_S, seed)
    for agent in road.agents:
        agent.source = f'[[source]]\nkind = "replay"\nfile = "{drive}"\nspeed = 20.0\n'
        agent.extra = BUSY_PROFILE
    road.configure()
    for agent in road.agents:
        agent.start()
    others = {"broker": kill_broker} | ({"database": kill_database} if kill_database else {})
    Killer(road, others, seed).kill(kills)
    road.drain()
    return road.verdict()

"""The whole road on real parts, with SIGKILL of agents, broker and server in turn, in mid work."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from support.ports import free_port
from support.road import BUSY_PROFILE, Road, RuledMosquitto, chosen_forever, write_busy_drive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEED = 20261122
KILLS = 12
AGENTS = 2
DRIVE_S = 3600
PAUSE_S = (0.2, 1.0)


class Killer:
    """Kills one part at a time and starts it again."""

    def __init__(self, road: Road, kill_broker: Callable[[], None], seed: int) -> None:
        self._road = road
        self._rng = random.Random(seed)
        self._ways = {"agent": self._agent, "broker": kill_broker, "server": self._server}
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


def drive_through(road: Road, kill_broker: Callable[[], None], folder: Path) -> None:
    """Run agents through ``KILLS`` kills, drain, and compare what was stored with what was committed."""
    drive = folder / "drive.csv"
    write_busy_drive(drive, DRIVE_S, SEED)
    for agent in road.agents:
        agent.source = f'[[source]]\nkind = "replay"\nfile = "{drive}"\nspeed = 20.0\n'
        agent.extra = BUSY_PROFILE
    road.configure()
    for agent in road.agents:
        agent.start()
    Killer(road, kill_broker, SEED).kill(KILLS)
    road.drain()
    verdict = road.verdict()
    print(f"{KILLS} kills: {verdict}")
    assert verdict.stored > 1_000, "too little happened for the test to mean anything"
    assert (verdict.lost, verdict.doubled, verdict.changed) == (0, 0, 0), verdict
    assert verdict.committed >= verdict.stored


def test_nothing_is_lost_on_the_embedded_broker_and_sqlite(tmp_path: Path) -> None:
    road = Road(tmp_path)
    road.server.start()
    try:
        road.register(AGENTS)
        drive_through(road, road.kill_embedded_broker, tmp_path)
        assert road.server.stop() == 0
    finally:
        road.end()


@pytest.mark.timeout(300)
def test_nothing_is_lost_on_mosquitto_and_postgresql(tmp_path: Path, postgres_url: str) -> None:
    road = Road(tmp_path, database_url=postgres_url, external_broker_port=free_port())
    broker = RuledMosquitto(road.server, tmp_path / "mosquitto", road.mqtt_port)

    def kill_broker() -> None:
        broker.kill()
        broker.start()

    try:
        broker.start()
        road.server.start()
        road.register(AGENTS)
        broker.reload()
        drive_through(road, kill_broker, tmp_path)
        assert road.server.stop() == 0
    finally:
        road.end()
        broker.kill()

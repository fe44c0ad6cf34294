"""The whole road on real parts, with SIGKILL of agents, broker and server in turn, in mid work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.killing import drive_through
from support.ports import free_port
from support.road import Road, RuledMosquitto

if TYPE_CHECKING:
    from pathlib import Path

    from support.road import Verdict

SEED = 20261122
KILLS = 12
AGENTS = 2


def check(verdict: Verdict) -> None:
    assert verdict.stored > 1_000, "too little happened for the test to mean anything"
    assert (verdict.lost, verdict.doubled, verdict.changed) == (0, 0, 0), verdict
    assert verdict.committed >= verdict.stored


@pytest.mark.timeout(300)
def test_nothing_is_lost_on_the_embedded_broker_and_sqlite(tmp_path: Path) -> None:
    with Road(tmp_path) as road:
        road.register(AGENTS)
        check(drive_through(road, road.kill_embedded_broker, kills=KILLS, seed=SEED))
        assert road.server.stop() == 0


@pytest.mark.timeout(300)
def test_nothing_is_lost_on_mosquitto_and_postgresql(tmp_path: Path, postgres_url: str) -> None:
    road = Road(tmp_path, database_url=postgres_url, external_broker_port=free_port())
    with RuledMosquitto(road.server, tmp_path / "mosquitto", road.mqtt_port) as broker, road:
        road.register(AGENTS)
        broker.reload()
        check(drive_through(road, broker.kill_and_start, kills=KILLS, seed=SEED))
        assert road.server.stop() == 0

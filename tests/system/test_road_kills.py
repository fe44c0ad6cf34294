"""The whole road on real parts, with SIGKILL of agents, broker, server and database in turn, in mid work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.killing import drive_through
from support.long_runs import tally, times
from support.ports import free_port
from support.road import Road, RuledMosquitto

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import Postgres
    from support.road import Verdict

SEED = 20261122
KILLS = times(12, 200)
AGENTS = 2


def check(what: str, verdict: Verdict) -> None:
    tally(f"SIGKILL of all parts in turn, {what}", KILLS, verdict.lost, verdict.doubled)
    assert verdict.stored > 1_000, "too little happened for the test to mean anything"
    assert (verdict.lost, verdict.doubled, verdict.changed) == (0, 0, 0), verdict
    assert verdict.committed >= verdict.stored


@pytest.mark.timeout(1800)
def test_nothing_is_lost_on_the_embedded_broker_and_sqlite(tmp_path: Path) -> None:
    with Road(tmp_path) as road:
        road.register(AGENTS)
        verdict = drive_through(road, road.kill_embedded_broker, kills=KILLS, seed=SEED)
        check("embedded NATS and SQLite", verdict)
        assert road.server.stop() == 0


@pytest.mark.timeout(1800)
def test_nothing_is_lost_on_mosquitto_and_postgresql(
    tmp_path: Path, cluster: Postgres, postgres_url: str
) -> None:
    road = Road(tmp_path, database_url=postgres_url, external_broker_port=free_port())
    with RuledMosquitto(road.server, tmp_path / "mosquitto", road.mqtt_port) as broker, road:
        road.register(AGENTS)
        broker.reload()
        verdict = drive_through(
            road, broker.kill_and_start, kills=KILLS, seed=SEED, kill_database=cluster.kill_and_start
        )
        check("Mosquitto and PostgreSQL", verdict)
        assert road.server.stop() == 0

"""The real agent by wrong clocks: at 1970, five years ahead, set back while it runs, then put right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from milepost_protocol.samples import TimeTrust
from support.agents import COUNTER
from support.faulty_agents import counting_agent, rows_so_far_once
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.waiting import until
from support.wrong_clock import WrongClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_protocol.samples import Sample
    from support.agents import AgentProcess

__all__ = ["mosquitto"]

HOUR_S = 3600
FIVE_YEARS_S = 5 * 365 * 86_400
MANY = 50


@pytest.fixture
def clock() -> Iterator[WrongClock]:
    """The agent's clock."""
    with WrongClock() as made:
        yield made


async def stored(agent: AgentProcess, least: int) -> None:
    await until(lambda: agent.status()["buffer"].get("stored_seq", 0) > least, "samples")


async def driven(
    tmp_path: Path, port: int, clock: WrongClock, before: tuple[int, bool], after: tuple[int, bool]
) -> list[Sample]:
    """Store by the clock ``before``, (s ahead, is kept), and ``after``; what the server gets then, by seq."""
    agent = counting_agent(tmp_path / "agent", port, within=clock.within)
    async with ReceiptGiver(port) as server:
        server.is_deaf = True
        clock.step(before[0], is_kept=before[1])
        agent.start()
        try:
            await stored(agent, MANY)
            clock.step(after[0], is_kept=after[1])
            await stored(agent, agent.status()["buffer"]["stored_seq"] + MANY)
            server.is_deaf = False
            count = await rows_so_far_once(agent, server)
        finally:
            agent.kill()
        (committed,) = server.epochs.values()
    return [row for _, row in sorted(committed.samples.items()) if row.signal == COUNTER][:count]


async def test_what_was_stamped_in_1970_is_repaired_and_marked_once_the_clock_is_set(
    tmp_path: Path, mosquitto: Mosquitto, clock: WrongClock
) -> None:
    began_ms = time.time() * 1000
    rows = await driven(tmp_path, mosquitto.port, clock, (-int(time.time()) + 5, False), (0, True))
    assert {row.trust for row in rows} == {TimeTrust.REPAIRED, TimeTrust.SYNCED}
    times = [row.time_ms for row in rows]
    assert times == sorted(times)
    # The steps of this clock are whole seconds, and a sample is as old as its commit at most.
    assert all(began_ms - 2000 <= at <= time.time() * 1000 + 2000 for at in times)


async def test_what_a_clock_five_years_ahead_has_stamped_is_never_called_synced(
    tmp_path: Path, mosquitto: Mosquitto, clock: WrongClock
) -> None:
    rows = await driven(tmp_path, mosquitto.port, clock, (FIVE_YEARS_S, False), (0, True))
    future = [row for row in rows if row.time_ms > (time.time() + FIVE_YEARS_S / 2) * 1000]
    assert len(future) > MANY
    assert {row.trust for row in future} == {TimeTrust.RTC}
    assert rows[-1].trust is TimeTrust.SYNCED
    assert rows[-1].time_ms <= time.time() * 1000


async def test_a_step_back_by_an_hour_changes_no_order(
    tmp_path: Path, mosquitto: Mosquitto, clock: WrongClock
) -> None:
    rows = await driven(tmp_path, mosquitto.port, clock, (0, True), (-HOUR_S, True))
    assert {row.trust for row in rows} == {TimeTrust.SYNCED}
    assert [row.value for row in rows] == list(range(len(rows)))
    assert rows[0].time_ms - rows[-1].time_ms > HOUR_S / 2 * 1000

"""Replays of past days, on both databases: each gives the very list that there was."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from sqlalchemy import update

from milepost_server.commands.derive import TAKEN_AS_NOW, said
from milepost_server.derivation import writing
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Report
from milepost_server.derivation.replay import Basis, Replay, Replayed
from milepost_server.store.engine import Store
from milepost_server.store.schema import readiness_checks, readiness_foretold, service_due, vehicles
from support.garage import NOW, TODAY, open_garage
from support.lived import DAY, DAYS, FIRST, LIST, SILENT, Life, at

LAST = FIRST + (DAYS - 1) * DAY
MARCH_ENDS = dt.date(2026, 3, 31)
HOUR_CHANGES = dt.date(2026, 3, 29)


async def replayed(life: Life, day: dt.date) -> tuple[Replayed, list[tuple[int, int]]]:
    """Replay a day, and what was told meanwhile."""
    steps: list[tuple[int, int]] = []
    replay = Replay(
        life.store, Configuration(), now=at(LAST, 21), tell=lambda done, total: steps.append((done, total))
    )
    return await replay.day(life.dealer, day), steps


def is_same(one: object, other: object) -> bool:
    """Whether two values are equal, numbers but for rounding: sums depend on who is derived together."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other


async def is_as_it_was(life: Life, day: dt.date) -> None:
    """Hold every row of that day's list against what stood there at its end."""
    for table, then, again in zip(LIST, life.lists[day], await life.list_of(day), strict=True):
        assert len(again) == len(then), (day, table.name)
        for row, same in zip(then, again, strict=True):
            other = {name: (row[name], same[name]) for name in row if not is_same(row[name], same[name])}
            assert not other, (day, table.name)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            Replayed(LAST, Report(), is_kept=True),
            ["the list of 2026-05-05 is kept as it was made on that day"],
        ),
        (
            Replayed(LAST, Report(3, 30), days=2, played_from=LAST - DAY, days_by_other_rules=1),
            [
                "3 vehicles, 30 items as of 2026-05-05",
                "the list as it was made on that day",
                "played from 2026-05-04 on, day by day: 2 days",
                "another version of the rules derived 1 of 2 days then",
                TAKEN_AS_NOW,
            ],
        ),
        (
            Replayed(LAST, Report(1, 9), Basis.NONE_THAT_DAY, days=1, played_from=LAST),
            [
                "1 vehicle, 9 items as of 2026-05-05",
                "no list was made on that day; this one is of what had come in by its end",
                "played from 2026-05-05 on, day by day: 1 day",
                TAKEN_AS_NOW,
            ],
        ),
    ],
)
def test_a_replay_says_what_it_came_to_and_what_it_cannot_know(found: Replayed, says: list[str]) -> None:
    for line, begin in zip(said(found), says, strict=True):
        assert line.startswith(begin)


async def test_a_list_of_a_day_before_the_first_leaves_nothing_to_later_days(store: Store) -> None:
    garage = await open_garage(store)
    car = await garage.car()
    await garage.drive(car, km_per_month=1_500)
    await garage.serve(car, "engine-oil", TODAY - 700 * DAY, 20_000)
    await garage.derivation().dealer(garage.dealer, TODAY)
    first = await garage.rows(service_due)
    assert (await garage.item(car, "engine-oil"))["due_since_on"] == TODAY
    past = TODAY - 20 * DAY
    found = await Replay(store, Configuration(), now=NOW).day(garage.dealer, past)
    assert found.basis is Basis.NONE_BY_THEN
    assert (await garage.item(car, "engine-oil", past))["due_since_on"] < past
    await garage.derivation().dealer(garage.dealer, TODAY)
    assert [row for row in await garage.rows(service_due) if row["as_of"] == TODAY] == first


async def test_before_a_fleet_was_learned_from_what_is_published_held(store: Store) -> None:
    garage = await open_garage(store)
    for km in (900, 2_400):
        await garage.drive(await garage.car(), km_per_month=km)
    await garage.derivation().dirty(10)
    then = await garage.rows(service_due)
    await garage.derivation(NOW + DAY).dealer(garage.dealer, TODAY + DAY)
    await garage.drive(await garage.car(), km_per_month=5_000)
    async with store.write() as connection:
        await writing.clear(connection, garage.dealer.id, TODAY)
        late = update(vehicles).where(vehicles.c.dealer_id == garage.dealer.id, vehicles.c.id == 3)
        await connection.execute(late.values(created_at=NOW + DAY))
    noted = [await garage.rows(table) for table in (readiness_checks, readiness_foretold)]
    found = await Replay(store, Configuration(), now=NOW + 2 * DAY).day(garage.dealer, TODAY)
    assert (found.basis, found.days, found.report.vehicles) == (Basis.AS_IT_WAS, 1, 2)
    assert noted[0]
    assert noted == [await garage.rows(table) for table in (readiness_checks, readiness_foretold)]
    again = [row for row in await garage.rows(service_due) if row["as_of"] == TODAY]
    assert [{**row, "derived_at": NOW} for row in again] == then
    kept = await Replay(store, Configuration(), now=NOW + 2 * DAY).day(garage.dealer, TODAY + DAY)
    assert kept.is_kept


@pytest.mark.timeout(900)
async def test_each_past_day_comes_out_as_it_was(store: Store) -> None:
    life = Life(store)
    await life.live()
    states = {row["state"] for row in life.lists[LAST][0]}
    stages = {row["life_cycle"] for lists in life.lists.values() for row in lists[0]}
    assert {"ok", "upcoming", "due", "overdue"} <= states
    april = MARCH_ENDS + DAY
    fitting = {day: any(row["subscription"] for row in life.lists[day][4]) for day in (april, LAST)}
    assert fitting == {april: True, LAST: False}, "plans that no longer hold"
    assert {"open", "reminded", "acknowledged", "booked", "snoozed", "done"} <= stages

    # From the first day on: before a sale was known, and over the change of the hour.
    for day, days in ((HOUR_CHANGES - DAY, 4), (HOUR_CHANGES, 5)):
        found, steps = await replayed(life, day)
        assert (found.basis, found.played_from, found.days) == (Basis.AS_IT_WAS, FIRST, days)
        assert found.days_by_other_rules == 0
        assert [done for done, _ in steps] == list(range(1, steps[0][1] + 1)), "told to the last step"
        await is_as_it_was(life, day)

    # From the last kept day on, by a schedule and plans that hold no longer; what was replayed is not kept.
    found, _ = await replayed(life, april)
    assert (found.basis, found.played_from, found.days) == (Basis.AS_IT_WAS, april, 1)
    await is_as_it_was(life, april)

    # A day on which the server was down had no list.
    found, _ = await replayed(life, SILENT[1])
    assert (found.basis, found.played_from, found.days) == (Basis.NONE_THAT_DAY, SILENT[1], 1)

    # Kept ones are left alone.
    for kept in (MARCH_ENDS, LAST - 5 * DAY):
        found, _ = await replayed(life, kept)
        assert found.is_kept
        await is_as_it_was(life, kept)

    # All the way without that day: where it starts makes no difference.
    async with store.write() as connection:
        await writing.clear(connection, life.dealer.id, MARCH_ENDS)
    found, _ = await replayed(life, april)
    assert (found.played_from, found.days) == (FIRST, 8)
    await is_as_it_was(life, april)

"""Each full derivation checks whether models still fit: whom they meet, and what came of their odds."""

from __future__ import annotations

import datetime as dt

import pytest

from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.learning import readiness_check, readiness_fit
from milepost_server.derivation.runner import DerivationRunner
from milepost_server.signals.readiness import priors
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.features import FEATURES
from milepost_server.signals.readiness.model import POINTS
from milepost_server.store import outcomes, ownerships, readiness_checks, readiness_foretold
from milepost_server.store.engine import Store
from milepost_server.store.readiness_checks import CheckRow
from milepost_server.store.readiness_foretold import APART, NotedDay
from milepost_server.store.schema import OutcomeKind, readiness
from support.garage import NOW, TODAY, Garage, open_garage
from support.lessees import of_lessees

DAY = dt.timedelta(days=1)
CARS = 60
FIRST = TODAY + DAY  # on which the model that was learned today is in force
WHOLE = FIRST + 93 * DAY  # its three months are over: they begin with the day's end
PRIOR = priors.shipped()[0].version


@pytest.fixture
async def garage(store: Store) -> Garage:
    garage = await of_lessees(store, CARS)
    await readiness_fit.fit(store, [garage.dealer], Configuration(), now=NOW)
    return garage


async def check(garage: Garage, on: dt.date) -> CheckRow:
    """Derive all as of a day, and read the check of the model that scored the first car."""
    await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
    rows = [row for row in await garage.rows(readiness) if row["as_of"] == on]
    async with garage.store.read() as connection:
        found = {
            row.model_version: row for row in await readiness_checks.newest(connection, garage.dealer.id, on)
        }
    check = found[rows[0]["model_version"]]
    assert check.vehicles == len(rows)
    return check


async def noted(garage: Garage) -> list[NotedDay]:
    async with garage.store.read() as connection:
        return list(await readiness_foretold.days(connection, garage.dealer.id, dt.date.max))


async def replaced(garage: Garage, owner_id: int, on: dt.date) -> None:
    values = {"owner_id": owner_id, "vehicle_id": None, "kind": OutcomeKind.LEASE, "happened_on": on}
    money = {"amount": None, "currency": None, "sender_id": f"late-{owner_id}", "source": "test"}
    async with garage.store.write() as connection:
        await outcomes.put(connection, garage.dealer.id, values | money, now=NOW)


async def left(garage: Garage, vehicle_id: int, on: dt.date) -> None:
    async with garage.store.write() as connection:
        for owned in await ownerships.of_vehicle(connection, garage.dealer.id, vehicle_id):
            await ownerships.end(connection, garage.dealer.id, owned.id, on, now=NOW)


async def owned_on(garage: Garage, on: dt.date) -> list[int]:
    return [row["owner_id"] for row in await garage.rows(readiness) if row["as_of"] == on]


async def test_what_was_foretold_is_held_against_what_came(garage: Garage) -> None:
    first = await check(garage, FIRST)
    assert first.came["rows"] == 0
    assert first.foretold_on == FIRST
    owners = await owned_on(garage, FIRST)
    expected = [row["p_90d"] for row in await garage.rows(readiness) if row["as_of"] == FIRST]
    assert len(owners) > 40, "of some the car has left already"
    for owner in owners[:25]:
        await replaced(garage, owner, FIRST + 40 * DAY)
    await replaced(garage, owners[25], FIRST + 120 * DAY)  # after the three months
    await left(garage, owners[26], FIRST + 20 * DAY)  # nobody knows what its owner did

    assert (await check(garage, WHOLE - DAY)).came["rows"] == 0, "the three months are not over"
    whole = await check(garage, WHOLE)
    assert (whole.came["rows"], whole.came["events"]) == (len(owners) - 1, 25)
    assert whole.came["expected"] == pytest.approx(sum(expected) - expected[26])
    assert whole.came["low"] < 25 < whole.came["high"]

    await replaced(garage, owners[30], FIRST + 80 * DAY)  # told late
    assert (await check(garage, WHOLE)).came["events"] == 26
    assert (await check(garage, FIRST)).came["rows"] == 0, "the past stays as it was"


async def test_a_model_is_noted_once_a_quarter_and_one_that_is_new_at_once(garage: Garage) -> None:
    await check(garage, TODAY)
    first = await check(garage, FIRST)
    for days in (0, 30, APART.days - 1, APART.days):
        await check(garage, FIRST + days * DAY)
    learned = first.model_version
    assert await noted(garage) == [
        NotedDay(TODAY, PRIOR),
        NotedDay(FIRST, learned),
        NotedDay(FIRST + APART, learned),
    ]


async def test_the_models_before_are_held_against_what_came_too(garage: Garage) -> None:
    await check(garage, TODAY)
    await check(garage, WHOLE)
    async with garage.store.read() as connection:
        rows = await readiness_checks.newest(connection, garage.dealer.id, WHOLE)
    before = next(row for row in rows if row.model_version == PRIOR)
    assert (before.vehicles, before.drift) == (0, [])
    assert before.came["rows"] > 40


async def test_drift_is_of_every_column_and_the_score(garage: Garage) -> None:
    assert (await check(garage, TODAY)).drift == [], "published figures were learned of nobody"
    drift = (await check(garage, FIRST)).drift
    assert [one["column"] for one in drift] == [*FEATURES, POINTS]
    assert {one["move"] for one in drift} == {Move.TOO_FEW}, "of so few cars nothing can be said"
    assert all(0 < one["now"] < 1 and one["bin"] for one in drift)


async def test_another_dealer_has_checks_of_its_own(garage: Garage) -> None:
    await check(garage, FIRST)
    other = await open_garage(garage.store)
    async with garage.store.read() as connection:
        assert await readiness_checks.newest(connection, other.dealer.id, FIRST) == []
        assert await readiness_foretold.days(connection, other.dealer.id, FIRST) == []
    await other.derivation(NOW + DAY).dealer(other.dealer, FIRST)
    async with garage.store.read() as connection:
        (row,) = await readiness_checks.newest(connection, other.dealer.id, FIRST)
    assert (row.vehicles, row.drift, row.foretold_on) == (0, [], None), "it has no car"


async def test_what_was_foretold_long_ago_is_dropped(garage: Garage) -> None:
    old = TODAY - (readiness_check.BACK_D + 1) * DAY
    await check(garage, old)
    await check(garage, old + DAY)
    assert [day.as_of for day in await noted(garage)] == [old]
    runner = DerivationRunner(garage.store, Configuration(), now=lambda: NOW, interval_s=1)
    await runner.turn()
    assert [day.as_of for day in await noted(garage)] == [TODAY]

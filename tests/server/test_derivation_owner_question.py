"""Cars that somebody else may drive now, as a derivation finds them; on both databases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import owner_questions, owners, ownerships
from support.garage import KM, NOW, TODAY, Garage, open_garage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.store.engine import Store
    from milepost_server.store.owner_questions import OwnerQuestion

DAY = dt.timedelta(days=1)
MONTH = 30.4375 * DAY
MONTHS, CHANGED_AGO = 20, 5
CHANGED = (NOW - CHANGED_AGO * MONTH).date()


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await open_garage(store)


async def changed_car(garage: Garage, before_km: float, after_km: float) -> int:
    """A car that goes so far a month, and another distance in the last months."""
    car = await garage.car()
    odometer = 90_000.0
    values = [(NOW, odometer * KM)]
    for month in range(1, MONTHS + 1):
        odometer -= after_km if month <= CHANGED_AGO else before_km
        values.append((NOW - month * MONTH, odometer * KM))
    await garage.read(car, values[::-1])
    return car


async def give(garage: Garage, car: int, start_on: dt.date) -> int:
    async with garage.store.write() as connection:
        owner = await owners.put(
            connection, garage.dealer.id, name="Anna", email=None, phone=None, external_id=None, now=NOW
        )
        await ownerships.add(
            connection,
            garage.dealer.id,
            owner_id=owner.id,
            vehicle_id=car,
            start_on=start_on,
            end_on=None,
            now=NOW,
        )
    return owner.id


async def questions(garage: Garage, as_of: dt.date = TODAY) -> Sequence[OwnerQuestion]:
    async with garage.store.read() as connection:
        return await owner_questions.page(connection, garage.dealer.id, as_of, after_id=0, limit=10)


async def test_a_car_that_goes_as_another_would_is_asked_about_with_what_it_rests_on(garage: Garage) -> None:
    car = await changed_car(garage, 500, 2_600)
    owner = await give(garage, car, TODAY - 700 * DAY)
    for steady in ((1_000, 1_000), (1_000, 0)):
        await give(garage, await changed_car(garage, *steady), TODAY - 700 * DAY)
    await garage.derivation().dealer(garage.dealer, TODAY)
    (found,) = await questions(garage)
    assert (found.vehicle_id, found.owner_id, found.change_reason) == (car, owner, "more")
    assert found.before_m_per_d * 30.4375 / KM == pytest.approx(500, rel=0.05)
    assert found.after_m_per_d * 30.4375 / KM == pytest.approx(2_600, rel=0.05)
    assert found.changed_from_on < CHANGED < found.changed_to_on
    assert (found.changed_to_on - found.changed_from_on).days in (60, 61)
    async with garage.store.read() as connection:
        dealer_id = garage.dealer.id
        assert await owner_questions.of_owners(connection, dealer_id, [owner], TODAY) == [found]
        assert await owner_questions.of_vehicle(connection, dealer_id, car, TODAY) == found
        assert await owner_questions.of_vehicle(connection, dealer_id, car, TODAY - DAY) is None
        assert await owner_questions.page(connection, dealer_id + 1, TODAY, after_id=0, limit=10) == []


@pytest.mark.parametrize(("start_on", "asks"), [(CHANGED - 40 * DAY, True), (CHANGED - 20 * DAY, False)])
async def test_who_came_about_when_it_changed_is_the_answer(
    garage: Garage, start_on: dt.date, asks: bool
) -> None:
    await give(garage, await changed_car(garage, 500, 2_600), start_on)
    await garage.derivation().dealer(garage.dealer, TODAY)
    assert bool(await questions(garage)) is asks


async def test_what_was_confirmed_holds_from_its_day_on(garage: Garage) -> None:
    await give(garage, await changed_car(garage, 500, 2_600), TODAY - 700 * DAY)
    await garage.derivation().dealer(garage.dealer, TODAY)
    (asked,) = await questions(garage)

    async def confirm(on: dt.date) -> None:
        async with garage.store.write() as connection:
            await ownerships.confirm(connection, garage.dealer.id, asked.ownership_id, on)

    await confirm(asked.changed_from_on - DAY)
    assert await questions(garage) == [asked], "that was before the change"
    await confirm(TODAY + 3 * DAY)
    assert await questions(garage) == [asked], "a past day stays as it was"
    assert await questions(garage, TODAY + 3 * DAY) == []


async def test_nobody_is_asked_about_a_car_without_an_owner(garage: Garage) -> None:
    await changed_car(garage, 500, 2_600)
    await garage.derivation().dealer(garage.dealer, TODAY)
    assert await questions(garage) == []

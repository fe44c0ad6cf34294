"""Contracts, outcomes, actions and models in the store, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from milepost_server.store import (
    calibrations,
    contracts,
    dealer_files,
    item_actions,
    outcomes,
    overrules,
    ownerships,
    readiness_models,
)
from milepost_server.store.overrules import Place
from milepost_server.store.schema import (
    ContractKind,
    DealerFileKind,
    Fitted,
    ItemActionKind,
    OutcomeKind,
    reading_overrules,
)
from support import showroom

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

NOW, TODAY = showroom.NOW, showroom.TODAY
DAY = dt.timedelta(days=1)


@pytest.fixture
async def dealer_id(store: Store) -> int:
    return await showroom.stock(store, others=1)


def lease(**more: object) -> dict[str, object]:
    values = dict.fromkeys(contracts.ContractRow.__dataclass_fields__)
    del values["id"]
    known = {"vehicle_id": 2, "kind": ContractKind.LEASE, "currency": "EUR", "source": "api"}
    return {**values, **known, "start_on": TODAY - 400 * DAY, "end_on": TODAY + 300 * DAY, **more}


async def test_a_contract_is_known_from_its_first_day_on(store: Store, dealer_id: int) -> None:
    async with store.write() as connection:
        made = await contracts.add(connection, dealer_id, lease(), now=NOW)
        assert await contracts.one(connection, dealer_id, made.id) == made
        changed = await contracts.change(
            connection, dealer_id, made.id, lease(kind=ContractKind.FINANCE, annual_interest=0.049)
        )
        assert await contracts.one(connection, dealer_id, made.id) == changed
        assert made.end_on is not None
        for day, found in (
            (made.start_on - DAY, []),
            (made.start_on, [changed]),
            (made.end_on, [changed]),
        ):
            assert await contracts.of_vehicle(connection, dealer_id, 2, day) == found, day


async def test_whose_else_a_car_is_counts_as_far_as_it_was_known(store: Store, dealer_id: int) -> None:
    async with store.write() as connection:
        (owned,) = await ownerships.of_vehicle(connection, dealer_id, 2)
        other = 1 if owned.owner_id != 1 else 2
        sold = {"owner_id": other, "vehicle_id": 2, "start_on": TODAY, "end_on": None, "now": NOW + DAY}
        await ownerships.end(connection, dealer_id, owned.id, TODAY, now=NOW + DAY)
        await ownerships.add(connection, dealer_id, **sold)
        for known_by, others in ((None, {owned.owner_id}), (NOW + DAY, {owned.owner_id}), (NOW, set())):
            found = await ownerships.other_owners(connection, dealer_id, [2], TODAY, known_by=known_by)
            assert found == {2: others}, known_by


async def test_an_outcome_is_kept_once_and_seen_from_its_day_on(store: Store, dealer_id: int) -> None:
    values = {
        "owner_id": 1,
        "vehicle_id": None,
        "kind": OutcomeKind.SALE,
        "happened_on": TODAY - 90 * DAY,
        "amount": None,
        "currency": None,
        "sender_id": "S-1",
        "source": "crm",
    }
    async with store.write() as connection:
        first, is_new = await outcomes.put(connection, dealer_id, values, now=NOW)
        assert is_new
        assert await outcomes.put(connection, dealer_id, values, now=NOW) == (first, False)
        later = {**values, "happened_on": TODAY - 80 * DAY}
        changed, is_new = await outcomes.put(connection, dealer_id, later, now=NOW)
        assert (changed.id, is_new) == (first.id, True)
        assert await outcomes.of_owner(connection, dealer_id, 1, TODAY) == [changed]
        assert await outcomes.of_owner(connection, dealer_id, 1, TODAY - 81 * DAY) == []


async def test_decisions_name_who_took_them(store: Store, dealer_id: int) -> None:
    at = Place(1, 1, 1)
    async with store.write() as connection:
        await item_actions.add(
            connection,
            dealer_id,
            vehicle_id=1,
            item="tyres",
            action=ItemActionKind.SNOOZED,
            staff_id=1,
            for_on=None,
            until_on=TODAY + DAY,
            note="",
            now=NOW,
        )
        (action,) = await item_actions.of_vehicle(connection, dealer_id, 1, until=NOW + DAY)
        assert (action.action, action.staff_name) == (ItemActionKind.SNOOZED, "Ines Kramer")
        assert not await item_actions.of_vehicle(connection, dealer_id, 1, until=NOW)
        assert not await item_actions.of_vehicle(connection, dealer_id, 1, until=NOW + DAY, item="coolant")
        for keep in (True, False):
            await overrules.put(connection, dealer_id, at, keep=keep, note="x", staff_id=1, now=NOW)
        (row,) = await overrules.of_vehicle(connection, dealer_id, 1)
        assert (row.keep, row.staff_name) == (False, "Ines Kramer")
        await overrules.put(connection, dealer_id, at, keep=None, note="", staff_id=1, now=NOW)
        assert not await overrules.of_vehicle(connection, dealer_id, 1)
        c = reading_overrules.c
        query = select(c.keep).where(c.dealer_id == dealer_id).order_by(c.id)
        assert (await connection.execute(query)).scalars().all() == [True, False, None], "lists rest on them"


async def test_the_newest_file_of_a_kind_and_name_holds(store: Store, dealer_id: int) -> None:
    async def put(name: str, text: str | None, kind: DealerFileKind = DealerFileKind.SCHEDULE) -> None:
        await dealer_files.put(connection, dealer_id, kind=kind, name=name, text=text, staff_id=None, now=NOW)

    async with store.write() as connection:
        for name, text in (("b", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("c", None)):
            await put(name, text)
        await put("b", "5", DealerFileKind.PLANS)
        found = await dealer_files.current(connection, dealer_id, DealerFileKind.SCHEDULE)
        plans = await dealer_files.current(connection, dealer_id, DealerFileKind.PLANS)
    assert [(row.name, row.text) for row in found] == [("a", "2"), ("b", "3")]
    assert [(row.name, row.text) for row in plans] == [("b", "5")]
    assert found[0].version == dealer_files.version_of("2") != found[1].version


async def test_the_dealers_own_model_goes_before_the_one_of_all(store: Store, dealer_id: int) -> None:
    async def add(whose: int | None, version: str, days_ago: int) -> bool:
        day = TODAY - days_ago * DAY
        return await readiness_models.add(
            connection,
            whose,
            version=version,
            document={"points": [1]},
            fitted=Fitted.LEARNED,
            fitted_on=day - DAY,
            in_force_on=day,
            metrics={},
            now=NOW,
        )

    async def in_force(days_ago: int) -> str | None:
        row = await readiness_models.in_force(connection, dealer_id, TODAY - days_ago * DAY)
        return None if row is None else row.version

    async with store.write() as connection:
        for whose, version, days_ago in ((None, "all", 90), (dealer_id, "one", 60), (None, "all-2", 30)):
            assert await add(whose, version, days_ago)
            assert not await add(whose, version, days_ago), "the same version is the same document"
        await add(dealer_id, "two", 10)
        assert [await in_force(days) for days in (91, 90, 60, 20, 10)] == [None, "all", "one", "one", "two"]
        elsewhere = await showroom.add_dealer(connection, "South", {})
        assert await readiness_models.one(connection, elsewhere, "one") is None
        found = await readiness_models.page(connection, elsewhere, after_id=0, limit=10)
        assert [row.version for row in found] == ["all", "all-2"]


async def test_a_calibration_is_that_of_its_day(store: Store, dealer_id: int) -> None:
    coverage = [{"horizon_d": 90, "n": 12, "covered": 0.75}]
    async with store.write() as connection:
        for days_ago, document in ((9, {"a": 1}), (9, {"a": 2}), (2, {"a": 3})):
            await calibrations.put(
                connection,
                dealer_id,
                as_of=TODAY - days_ago * DAY,
                document=document,
                coverage=coverage,
                config_version="1",
                now=NOW,
            )
        assert await calibrations.newest(connection, dealer_id, TODAY - 10 * DAY) is None
        then = await calibrations.newest(connection, dealer_id, TODAY - 5 * DAY)
        now = await calibrations.newest(connection, dealer_id, TODAY - DAY)
    assert then is not None
    assert now is not None
    assert (then.document, then.coverage, now.document) == ({"a": 2}, coverage, {"a": 3})

"""Readiness models that are learned from a dealer's past: as it was known then, and as it came."""

from __future__ import annotations

import asyncio
import datetime as dt
from itertools import pairwise

import pytest

from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.learning import readiness_fit
from milepost_server.signals.readiness import backtest
from milepost_server.signals.readiness.baselines import BASELINES
from milepost_server.signals.readiness.errors import FitError
from milepost_server.signals.readiness.learning import EVENTS_TO_TUNE
from milepost_server.signals.readiness.model import Scorecard
from milepost_server.store import readiness, readiness_models, staff
from milepost_server.store.dealers import DealerRow
from milepost_server.store.engine import Store
from milepost_server.store.schema import Role
from support import showroom
from support.garage import NOW, TODAY, Garage, open_garage
from support.html import Page
from support.lessees import of_lessees
from support.sites import Clock, Site, application

DAY = dt.timedelta(days=1)
CARS = 40


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await of_lessees(store, CARS)


async def test_a_model_learns_from_what_was_known_then_and_scores_from_tomorrow(garage: Garage) -> None:
    learned = await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW)
    assert [one.dealer_id for one in learned] == [None, garage.dealer.id]
    assert all(one.is_new and one.model.events > 0 for one in learned)
    again = await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW)
    assert [one.model.version for one in again] == [one.model.version for one in learned]
    assert not any(one.is_new for one in again), "the same past teaches the same"

    tomorrow = TODAY + DAY
    async with garage.store.read() as connection:
        assert await readiness_models.in_force(connection, garage.dealer.id, TODAY) is None
        row = await readiness_models.in_force(connection, garage.dealer.id, tomorrow)
    assert row is not None
    assert row.version == learned[1].model.version
    assert Scorecard.from_document(row.document).version == row.version
    assert row.metrics["n"] > row.metrics["events"] > 0
    told = sum(one["observed"] * one["n"] for one in row.metrics["calibration"])
    assert told == pytest.approx(row.metrics["events"]), "also of cars that left their owner when replaced"

    await garage.derivation().dealer(garage.dealer, TODAY)
    await garage.derivation(NOW + DAY).dealer(garage.dealer, tomorrow)
    async with garage.store.read() as connection:
        (then,) = await readiness.of_owner(connection, garage.dealer.id, 1, TODAY)
        (now,) = await readiness.of_owner(connection, garage.dealer.id, 1, tomorrow)
    assert (then.is_prior, now.is_prior) == (True, False)
    assert now.model_version == row.version
    assert sum(reason["points"] for reason in now.reasons) == now.score


async def test_a_day_that_has_begun_in_the_east_keeps_its_model(store: Store) -> None:
    garage = await of_lessees(store, 4, "Pacific/Auckland")
    west = DealerRow(garage.dealer.id + 1, "West", "America/Los_Angeles", garage.dealer.currency)
    await readiness_fit.fit(store, [garage.dealer, west], Configuration(), now=NOW)
    async with store.read() as connection:
        assert await readiness_models.in_force(connection, garage.dealer.id, TODAY + DAY) is None
        assert await readiness_models.in_force(connection, garage.dealer.id, TODAY + 2 * DAY) is not None


async def test_the_dealer_sees_a_model_beside_what_dealers_go_by_today(garage: Garage) -> None:
    await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW)
    hashed = await showroom.cheap_passwords().hash(showroom.PASSWORD)
    async with garage.store.write() as connection:
        row = await readiness_models.in_force(connection, garage.dealer.id, TODAY + DAY)
        await staff.add(
            connection,
            garage.dealer.id,
            email=showroom.MANAGER,
            name="Ines Kramer",
            role=Role.MANAGER,
            password_hash=hashed,
            now=NOW,
        )
    assert row is not None
    figures = {"auc": row.metrics["auc"], "model": row.metrics["lift_10"]}
    figures |= {key: its["lift_10"] for key, its in row.metrics["baselines"].items()}
    assert row.metrics["baselines"].keys() == BASELINES.keys()
    assert all(low <= value <= high for value, low, high in figures.values()), figures
    assert figures["random"] == pytest.approx([1, 1, 1])
    assert figures["model"][1] > 1, "who is about to give a car back was found among those not learned from"
    assert figures["auc"][1] > 0.5

    site = Site(application(garage.store, Clock(NOW + DAY)), garage.store, Clock(), garage.dealer.id)
    async with site.client(showroom.MANAGER) as client:
        shown = Page((await client.get("/accuracy")).text.replace("\u00a0", " ")).lines
    for name, key in [("This model", "model"), ("The lease-end list", "lease_end"), ("At random", "random")]:
        value, low, high = figures[key]
        assert shown[shown.index(name) + 1] == f"{value:.1f} times ({low:.1f} to {high:.1f})"
    assert row.metrics["events"] < EVENTS_TO_TUNE
    assert row.metrics["calibration_held_out"] is False
    assert any(
        line.startswith("These owners are the very ones that the model learned from") for line in shown
    )


async def test_it_is_told_how_far_learning_has_come_and_the_event_loop_is_left_free(garage: Garage) -> None:
    said: list[str] = []
    turns = 0

    async def serve() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(serve())

    def say(words: str) -> None:
        said.append(f"{words} ({turns})")

    await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW, say=say)
    other.cancel()
    heard = [words.rpartition(" (") for words in said]
    assert [words[-6:] for words, _, _ in heard if "judge" in words] == [
        "1 of 4",
        "2 of 4",
        "3 of 4",
        "4 of 4",
    ]
    assert heard[0][0] == f"looking at the past of dealer {garage.dealer.id}: 1 of 1"
    at = [int(count.rstrip(")")) for words, _, count in heard if "judge" in words]
    assert all(first < then for first, then in pairwise(at)), "others had their turn between any two folds"


async def test_of_a_few_owners_no_figures_are_told(store: Store) -> None:
    garage = await of_lessees(store, backtest.OWNERS_MIN)
    learned = await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW)
    assert learned[0].model.events > 0
    async with garage.store.read() as connection:
        row = await readiness_models.in_force(connection, garage.dealer.id, TODAY + DAY)
    assert row is not None
    assert not {"auc", "lift_10", "baselines"} & set(row.metrics)


async def test_without_an_outcome_there_is_nothing_to_learn(store: Store) -> None:
    garage = await open_garage(store)
    with pytest.raises(FitError):
        await readiness_fit.fit(garage.store, [garage.dealer], Configuration(), now=NOW)

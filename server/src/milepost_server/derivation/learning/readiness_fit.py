"""Learns readiness models from what became of owners: each dealer's past, as it was known at its time.

The dealers' vehicles are derived as of past days, so that a model learns from columns as they were then, and
from outcomes that came after. An owner whose car was sold without an outcome is looked at until then.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import select

from milepost_server.derivation import times
from milepost_server.derivation.dealer_files import configuration_of
from milepost_server.derivation.fleet import NOBODY
from milepost_server.derivation.learning import knowledge
from milepost_server.derivation.loading import vehicles as loading
from milepost_server.derivation.loading.vehicles import CHUNK_VEHICLES_MAX
from milepost_server.derivation.steps.whole import derive
from milepost_server.derivation.times import AsOf
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.readiness import backtest, priors
from milepost_server.signals.readiness.learning import Seen, is_tuned, learn_dealers
from milepost_server.signals.readiness.tuning import TuningRules
from milepost_server.store import readiness_models
from milepost_server.store.outcomes import REPLACEMENTS
from milepost_server.store.schema import Fitted, outcomes, ownerships

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.learning.knowledge import Knowledge
    from milepost_server.signals.bootstrap import Interval
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.readiness.model import Scorecard
    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.engine import Store

EVERY_D = 91
"""Days between the past days that are looked at."""
BACK_D = 3 * 365
"""How far back they go."""
AFTER_D_MIN = 31
"""A past day is looked at when at least this many days have come since."""
SEED = 1
_NO_OWNERS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Learned:
    """A model that was learned; ``dealer_id`` None: from all dealers together."""

    dealer_id: int | None
    model: Scorecard
    is_new: bool


class After(NamedTuple):
    """What came after a past day, by the vehicle's id."""

    events: dict[int, dt.date]  # it was replaced
    ends: dict[int, dt.date]  # it left its owner of the day, for whatever reason
    today: dt.date


async def fit(
    store: Store,
    known: Sequence[DealerRow],
    config: Configuration,
    *,
    now: dt.datetime,
    say: Callable[[str], None] = lambda _: None,
) -> list[Learned]:
    """Learn from all dealers together and from each, and store what was learned; in force from tomorrow.

    Tomorrow is where the day began first: a day that has begun anywhere keeps the model it began with.
    ``say`` hears of progress, also from another thread.

    Raises:
        FitError: nothing was seen that could be learned from.
    """
    parts = []
    for number, each in enumerate(known):
        say(f"looking at the past of dealer {each.id}: {number + 1} of {len(known)}")
        parts.append(await _seen(store, each, config, now))
    dealer = np.concatenate(
        [np.full(len(part.months_followed), of.id) for part, of in zip(parts, known, strict=True)]
    )
    seen, dealer = _joined(parts), dealer.astype(np.int64)
    day = max((AsOf.at(now, each.timezone).date for each in known), default=now.date())
    prior, firmness = priors.shipped()
    learn = partial(
        learn_dealers,
        prior=prior,
        firmness=firmness,
        rules=TuningRules(seed=SEED),
        fitted_on=day.isoformat(),
    )
    found = await asyncio.to_thread(_judged, seen, dealer, learn, say)
    async with store.write() as connection:
        return [
            Learned(whose, model, await _save(connection, whose, model, metrics, day=day, now=now))
            for whose, model, metrics in found
        ]


def _judged(
    seen: Seen,
    dealer: Ints,
    learn: Callable[[Seen, Ints], tuple[Scorecard, dict[int, Scorecard]]],
    say: Callable[[str], None],
) -> list[tuple[int | None, Scorecard, dict[str, Any]]]:
    """The model of all dealers together (None) and of each, with its figures."""
    say(f"learning from {len(dealer):,} owners and months")
    pooled, alone = learn(seen, dealer)
    held = backtest.held_out(seen, dealer, learn, seed=SEED, say=say)
    models: list[tuple[int | None, Scorecard]] = [(None, pooled), *alone.items()]
    return [(whose, model, _metrics(model, held, whose)) for whose, model in models]


async def _save(
    connection: AsyncConnection,
    whose: int | None,
    model: Scorecard,
    metrics: dict[str, Any],
    *,
    day: dt.date,
    now: dt.datetime,
) -> bool:
    return await readiness_models.add(
        connection,
        whose,
        version=model.version,
        document=model.to_document(),
        fitted=Fitted.LEARNED,
        fitted_on=day,
        in_force_on=day + dt.timedelta(days=1),
        metrics=metrics,
        now=now,
    )


def _metrics(model: Scorecard, held: backtest.Held | None, whose: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"n": model.rows, "events": model.events}
    judged = None if held is None else backtest.judge(held, whose, seed=SEED)
    if judged is not None:
        found["auc"], found["lift_10"] = _figure(judged.auc), _figure(judged.lift_10)
        found["baselines"] = {key: {"lift_10": _figure(lift)} for key, lift in judged.baselines.items()}
    if model.calibration is not None:
        its = model.calibration
        found["calibration_held_out"] = is_tuned(model.events, model.rows)
        found["calibration"] = [
            {"p": float(p), "observed": float(seen), "low": float(low), "high": float(high), "n": int(rows)}
            for p, seen, low, high, rows in zip(
                its.expected, its.observed, its.low, its.high, its.rows, strict=True
            )
        ]
    return found


def _figure(found: Interval) -> list[float]:
    return [found.value, found.low, found.high]


def _joined(parts: Sequence[Seen]) -> Seen:
    names = parts[0].values if parts else {}
    return Seen(
        {name: np.concatenate([part.values[name] for part in parts]) for name in names},
        np.concatenate([part.months_to_event for part in parts] or [np.zeros(0)]),
        np.concatenate([part.months_followed for part in parts] or [np.zeros(0)]),
        owner=np.concatenate([part.owner for part in parts if part.owner is not None] or [_NO_OWNERS]),
    )


async def _seen(store: Store, dealer: DealerRow, base: Configuration, now: dt.datetime) -> Seen:
    """What one dealer saw after each of the past days."""
    today = AsOf.at(now, dealer.timezone).date
    async with store.read() as connection:
        config = await configuration_of(connection, dealer.id, base)
    parts = []
    for days in range(BACK_D, AFTER_D_MIN - 1, -EVERY_D):
        as_of = AsOf.of(today - dt.timedelta(days=days), dealer.timezone)
        async with store.read() as connection:
            learned = await knowledge.newest(connection, dealer.id, as_of.date)
        after_id = 0
        while True:
            async with store.read() as connection:
                ids = await loading.vehicle_ids(
                    connection, dealer.id, after_id=after_id, limit=CHUNK_VEHICLES_MAX
                )
                if not ids:
                    break
                chunk = await loading.load(connection, dealer.id, ids, as_of, config)
                after = After(
                    await _events(connection, dealer.id, chunk, as_of.date),
                    await _ends(connection, dealer.id, chunk, as_of.date),
                    today,
                )
            parts.append(await asyncio.to_thread(_derived, chunk, learned, after, as_of, config))
            after_id = ids[-1]
    return _joined(parts) if parts else _nothing()


def _derived(chunk: Chunk, known: Knowledge, after: After, as_of: AsOf, config: Configuration) -> Seen:
    """The owned vehicles of a chunk as they were on the day, with what came after it."""
    derived = derive(chunk.inputs, known.of(chunk.vehicles), as_of.end_d, config)
    return _rows(chunk, derived.readiness.columns, after, as_of)


def _nothing() -> Seen:
    model, _ = priors.shipped()
    none = np.zeros(0)
    return Seen({column.name: none for column in model.card.columns}, none, none)


def _rows(chunk: Chunk, columns: dict[str, Floats], after: After, as_of: AsOf) -> Seen:
    """The owned vehicles of a chunk, with what came after the day."""
    place = np.flatnonzero(chunk.owner_id != NOBODY)
    ids = [chunk.vehicles[at].id for at in place.tolist()]
    events = [after.events.get(one) for one in ids]
    event_d = np.array([np.nan if on is None else times.start_d(on) for on in events], dtype=np.float64)
    ends = [min(after.ends.get(one, after.today), after.today) for one in ids]
    until_d = np.array([times.start_d(on) for on in ends], dtype=np.float64)
    # Who replaced the car is known to have done so, whenever the car left: that says nothing of the others.
    looked_d = np.where(np.isnan(event_d), until_d, np.fmax(event_d, times.start_d(after.today)))
    followed = looked_d - as_of.end_d
    return Seen(
        {name: values[place] for name, values in columns.items()},
        (event_d - as_of.end_d) / DAYS_PER_MONTH,
        np.maximum(np.where(np.isnan(event_d), followed, followed + DAYS_PER_MONTH), 0.0) / DAYS_PER_MONTH,
        owner=chunk.owner_id[place],
    )


async def _events(
    connection: AsyncConnection, dealer_id: int, chunk: Chunk, after: dt.date
) -> dict[int, dt.date]:
    """The day on which each vehicle was replaced after ``after``, by the vehicle's id.

    An outcome that names no vehicle is of every car that the owner had.
    """
    of_owner: dict[int, list[int]] = {}
    for vehicle, owner_id in zip(chunk.vehicles, chunk.owner_id.tolist(), strict=True):
        of_owner.setdefault(owner_id, []).append(vehicle.id)
    c = outcomes.c
    query = (
        select(c.owner_id, c.vehicle_id, c.happened_on)
        .where(c.dealer_id == dealer_id, c.owner_id.in_(of_owner), c.happened_on > after)
        .where(c.kind.in_([kind.value for kind in REPLACEMENTS]))
        .order_by(c.happened_on.desc(), c.id)
    )
    found: dict[int, dt.date] = {}
    for owner_id, vehicle_id, happened_on in await connection.execute(query):
        mine = of_owner[owner_id]
        for one in mine if vehicle_id is None else [vehicle_id] if vehicle_id in mine else []:
            found[one] = happened_on  # the earliest comes last
    return found


async def _ends(
    connection: AsyncConnection, dealer_id: int, chunk: Chunk, after: dt.date
) -> dict[int, dt.date]:
    """The day on which each vehicle left its owner of the day, by the vehicle's id."""
    ids = [vehicle.id for vehicle in chunk.vehicles]
    c = ownerships.c
    query = (
        select(c.vehicle_id, c.end_on)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(ids), c.start_on <= after, c.end_on > after)
        .order_by(c.start_on)
    )
    return {row.vehicle_id: row.end_on for row in await connection.execute(query)}

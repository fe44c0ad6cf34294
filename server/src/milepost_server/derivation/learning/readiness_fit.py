"""Learns readiness models from what became of owners: each dealer's past, as it was known at its time.

The dealers' vehicles are derived as of past days, so that a model learns from columns as they were then, and
from outcomes that came after. An owner whose car was sold without an outcome is looked at until then.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation.dealer_files import configuration_of
from milepost_server.derivation.fleet import NOBODY
from milepost_server.derivation.learning import knowledge
from milepost_server.derivation.learning.after import after
from milepost_server.derivation.loading import vehicles as loading
from milepost_server.derivation.loading.vehicles import CHUNK_VEHICLES_MAX
from milepost_server.derivation.steps.whole import derive
from milepost_server.derivation.times import AsOf
from milepost_server.signals.readiness import backtest, priors
from milepost_server.signals.readiness.learning import Seen, is_tuned, learn_dealers
from milepost_server.signals.readiness.tuning import TuningRules
from milepost_server.store import readiness_models
from milepost_server.store.schema import Fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.learning.after import After
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
                    connection, dealer.id, as_of, after_id=after_id, limit=CHUNK_VEHICLES_MAX
                )
                if not ids:
                    break
                chunk = await loading.load(connection, dealer.id, ids, as_of, config)
                owner_of = {
                    vehicle.id: owner_id
                    for vehicle, owner_id in zip(chunk.vehicles, chunk.owner_id.tolist(), strict=True)
                    if owner_id != NOBODY
                }
                came = await after(connection, dealer.id, owner_of, day=as_of.date, today=today)
            parts.append(await asyncio.to_thread(_derived, chunk, learned, came, as_of, config))
            after_id = ids[-1]
    return _joined(parts) if parts else _nothing()


def _derived(chunk: Chunk, known: Knowledge, came: After, as_of: AsOf, config: Configuration) -> Seen:
    """The owned vehicles of a chunk as they were on the day, with what came after it."""
    derived = derive(chunk.inputs, known.of(chunk.vehicles), as_of.end_d, config)
    return _rows(chunk, derived.readiness.columns, came, as_of)


def _nothing() -> Seen:
    model, _ = priors.shipped()
    none = np.zeros(0)
    return Seen({column.name: none for column in model.card.columns}, none, none)


def _rows(chunk: Chunk, columns: dict[str, Floats], came: After, as_of: AsOf) -> Seen:
    """The owned vehicles of a chunk, with what came after the day."""
    place = np.flatnonzero(chunk.owner_id != NOBODY)
    seen = came.followed([chunk.vehicles[at].id for at in place.tolist()], as_of)
    return Seen(
        {name: values[place] for name, values in columns.items()},
        *seen,
        owner=chunk.owner_id[place],
    )

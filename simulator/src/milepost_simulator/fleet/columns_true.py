"""What nobody but the simulator knows of a lot, as columns; `docs/fleet-columns.md` says what each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.column_part import KEY_OF_ITEM, grid_days, kept_readings, kept_wear
from milepost_simulator.fleet.intent import NOT_WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.column_part import Ints, Part, Table, Tables

LONG_SPELL_DAYS = 21


def truth(part: Part) -> Tables:
    """What nobody but the simulator knows."""
    return {
        "tenures": _tenures(part),
        "readings": _readings(part),
        "wear": _wear(part),
        "lives": _lives(part),
        "regimes": _regimes(part),
        "spells": _spells(part),
        "clusters": _clusters(part),
        "faults": _faults(part),
    }


def _tenures(part: Part) -> Table:
    lot, row, plan = part.lot, part.row, part.plan
    grid = grid_days(plan) - plan.first_day
    at = np.repeat(row, len(grid))
    km = lot.odometer_km(at, np.tile(grid - 1, len(row))).reshape(len(row), len(grid))
    replaced = lot.intent.replaced_day[row]
    return {
        "replaced_day": np.where(replaced == NOT_WITHIN, -1, replaced).astype(np.int32),
        "frailty": lot.population.frailty[row].astype(np.float32),
        "hazard": lot.intent.hazard[row].astype(np.float32),
        "odometer_m": np.rint(1000 * km).astype(np.int32),
    }


def _readings(part: Part) -> Table:
    seen, kept = part.seen.readings, kept_readings(part)
    return {"flaw": seen.flaw[kept].astype(np.int8), "odometer_m": seen.true_m[kept]}


def _wear(part: Part) -> Table:
    wear, kept = part.seen.wear, kept_wear(part)
    share = np.zeros(0) if wear is None else wear.true_share[kept]
    return {"share": share.astype(np.float32)}


def _lives(part: Part) -> Table:
    """From one renewal to the next: all that follows of when an item is due, and how far it is worn."""
    lot, plan = part.lot, part.plan
    lives = lot.life.lives
    # None that begin after the car was given away, or after the history.
    end = np.minimum(lot.until_day, plan.as_of_day)[lives.row] - plan.first_day
    kept = np.flatnonzero((part.tenure[lives.row] >= 0) & (lives.seen_day < end))
    row = lives.row[kept]
    seen_km = lot.odometer_km(row, lives.seen_day[kept])
    first, days = plan.first_day, plan.days

    def day_or_none(day: Ints) -> NDArray[np.int32]:
        return np.where(day < days, first + day, -1).astype(np.int32)

    return {
        "tenure": part.tenure[row].astype(np.int32),
        "item": KEY_OF_ITEM[lives.item[kept]].astype(np.int8),
        "start_day": (first + lives.start_day[kept]).astype(np.int32),
        "start_m": (1000 * lives.start_km[kept]).astype(np.int64),
        "seen_day": (first + lives.seen_day[kept]).astype(np.int32),
        "seen_m": (1000 * seen_km).astype(np.int64),
        "seen_share": lives.seen_worn[kept].astype(np.float32),
        "share_per_m": (lives.per_km[kept] / 1000).astype(np.float64),
        "share_per_day": lives.per_day[kept].astype(np.float32),
        "due_day": day_or_none(lives.due_day[kept]),
        "renewed_day": day_or_none(lives.until_day[kept]),
    }


def _regimes(part: Part) -> Table:
    """Lasting changes of usage: of a life, and those that come with a new owner."""
    lot, plan = part.lot, part.plan
    row, change = np.nonzero(lot.usage.change_day < plan.days)
    day, factor = plan.first_day + lot.usage.change_day[row, change], lot.usage.change_factor[row, change]
    buyers = np.flatnonzero(lot.population.is_buyer & (part.tenure >= 0))
    here = (part.tenure[row] >= 0) & (day < lot.until_day[row]) & (day > lot.population.from_day[row])
    return {
        "vehicle": part.vehicle[np.concatenate([row[here], buyers])].astype(np.int32),
        "day": np.concatenate([day[here], lot.population.from_day[buyers]]).astype(np.int32),
        "factor": np.concatenate([factor[here], np.full(len(buyers), np.nan)]).astype(np.float32),
        "cause": np.repeat([0, 1], [int(here.sum()), len(buyers)]).astype(np.int8),
    }


def _spells(part: Part) -> Table:
    usage, first = part.lot.usage, part.plan.first_day
    begin, until = first + usage.spell_from, first + usage.spell_until
    here = (part.tenure[usage.spell_row] >= 0) & (until - begin >= LONG_SPELL_DAYS)
    here &= begin >= part.lot.population.from_day[usage.spell_row]
    here &= begin < part.lot.until_day[usage.spell_row]
    return {
        "vehicle": part.vehicle[usage.spell_row[here]].astype(np.int32),
        "from_day": begin[here].astype(np.int32),
        "until_day": until[here].astype(np.int32),
    }


def _clusters(part: Part) -> Table:
    seen, kept = part.seen.swaps, part.tenure[part.seen.swaps.row] >= 0
    return {
        "vehicle": part.vehicle[seen.row[kept]].astype(np.int32),
        "day": (part.plan.first_day + seen.day[kept]).astype(np.int32),
        "offset_m": np.rint(1000 * seen.offset_km[kept]).astype(np.int64),
    }


def _faults(part: Part) -> Table:
    faults = part.lot.faults
    here = (part.tenure[faults.row] >= 0) & (faults.pending_day < part.lot.until_day[faults.row])
    faults = faults.where(here & (faults.pending_day >= part.lot.population.from_day[faults.row]))
    return {
        "tenure": part.tenure[faults.row].astype(np.int32),
        "code": faults.code.astype(np.int16),
        "pending_day": faults.pending_day.astype(np.int32),
        "confirmed_day": faults.confirmed_day.astype(np.int32),
        "cleared_day": faults.cleared_day.astype(np.int32),
        "mended_day": faults.mended_day.astype(np.int32),
        "is_back": faults.is_back,
    }

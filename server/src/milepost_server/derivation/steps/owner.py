"""From owners' vehicles to rows of ``owner_signals``: where each stands in the lists, what it is worth."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation.rows.usage import Row, or_none
from milepost_server.signals.faults.systems import URGENCIES
from milepost_server.signals.owners import NOBODY, roll_up
from milepost_server.signals.value.lifetime import DAYS_PER_YEAR, Outlook, lifetime
from milepost_server.signals.work_list import (
    NO_NEED_KEY,
    fault_keys,
    first_needs,
    item_keys,
    sales_keys,
)
from milepost_server.store.schema import DueState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.loading.owners import OwnersChunk
    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.owners import RollUp
    from milepost_server.signals.value.lifetime import Lifetime

HALF_YEARS_PER_YEAR = 2


def owner_rows(
    chunk: OwnersChunk, usual_service: float, as_of: AsOf, config: Configuration, currency: str
) -> Iterator[Row]:
    """Rows of ``owner_signals``, without dealer, date and version.

    ``usual_service`` is what one owner's services bring in a year, minor units, the mean of all owners.
    """
    size = len(chunk.owner_ids)
    rolled = roll_up(chunk.owned, chunk.score, chunk.p_90d, chunk.p_180d, size)
    service = _Service(chunk, as_of.end_d)
    worth = _lifetime(chunk, usual_service, rolled, as_of, config)
    until_on = as_of.date + dt.timedelta(days=round(config.lifetime.horizon_years * DAYS_PER_YEAR))
    keys = sales_keys(rolled.p_90d)
    for place, owner_id in enumerate(chunk.owner_ids):
        top = int(rolled.top[place])
        yield {
            "owner_id": owner_id,
            "vehicles": int(rolled.vehicles[place]),
            **service.row(place),
            "sales_vehicle_id": None if top == NOBODY else int(chunk.owned.vehicle[top]),
            "score": None if top == NOBODY else round(float(rolled.score[place])),
            "p_90d": or_none(rolled.p_90d[place]),
            "p_180d": or_none(rolled.p_180d[place]),
            "sales_key": float(keys[place]),
            "value": _value(worth, place, currency, until_on),
        }


class _Service:
    """What each of O owners is to be called for first."""

    def __init__(self, chunk: OwnersChunk, as_of_d: float) -> None:
        self._chunk = chunk
        owners = len(chunk.owner_ids)
        order = np.argsort(chunk.owned.vehicle, kind="stable")
        self._rows = (chunk.owned.vehicle[order], chunk.owned.owner[order])
        items, faults = chunk.items, chunk.faults
        keys = np.concatenate(
            [
                item_keys(items.needs, as_of_d),
                fault_keys(faults.urgency, faults.first_seen_d, as_of_d),
            ]
        )
        owner, need = self._whose(np.concatenate([items.vehicle_id, faults.vehicle_id]))
        self._first = np.append(need, NOBODY)[first_needs(owner, keys[need], owners)]
        self._key = np.append(keys, NO_NEED_KEY)[self._first]
        self._worst = np.full(owners, len(URGENCIES), dtype=np.int64)
        owner, fault = self._whose(faults.vehicle_id)
        np.minimum.at(self._worst, owner, faults.urgency[fault])

    def _whose(self, vehicle_id: Ints) -> tuple[Ints, Ints]:
        """The place of the owner, and the row, of each of ``vehicle_id``: of two owners, once for each."""
        vehicles, owners = self._rows
        first = np.searchsorted(vehicles, vehicle_id)
        count = np.searchsorted(vehicles, vehicle_id, side="right") - first
        before = np.cumsum(count) - count
        place = np.repeat(first - before, count) + np.arange(count.sum())
        return owners[place], np.repeat(np.arange(len(vehicle_id)), count)

    def row(self, place: int) -> Row:
        """The columns of one owner."""
        items, faults = self._chunk.items, self._chunk.faults
        first, fault = int(self._first[place]), int(self._first[place]) - len(items.key)
        worst = int(self._worst[place])
        row: Row = {
            "service_vehicle_id": None,
            "service_item": None,
            "service_title": None,
            "service_fault": None,
            "service_state": DueState.UNKNOWN.value,
            "service_urgency": URGENCIES[worst] if worst < len(URGENCIES) else None,
            "service_key": float(self._key[place]),
        }
        if first == NOBODY:
            return row
        if fault < 0:
            return {
                **row,
                "service_vehicle_id": int(items.vehicle_id[first]),
                "service_item": items.key[first],
                "service_title": items.title[first],
                "service_state": items.state[first],
            }
        vehicle = int(faults.vehicle_id[fault])
        return {**row, "service_vehicle_id": vehicle, "service_fault": faults.code[fault]}


def _lifetime(
    chunk: OwnersChunk, usual_service: float, rolled: RollUp, as_of: AsOf, config: Configuration
) -> Lifetime:
    rules = config.lifetime
    halves = HALF_YEARS_PER_YEAR * rules.horizon_years
    # As if each half year were like the next one: who is not ready now will be some day.
    odds: Floats = 1 - (1 - np.nan_to_num(rolled.p_180d)) ** halves
    outlook = Outlook(chunk.since_d, odds, chunk.subscription_left)
    return lifetime(chunk.ledger, outlook, as_of.end_d, rules, usual=usual_service)


def _value(worth: Lifetime, place: int, currency: str, until_on: dt.date) -> Row:
    ledger = {"sale": worth.sales, "service": worth.service, "subscription": worth.subscription}
    expected = (worth.expected_p10, worth.expected, worth.expected_p90)
    return {
        "currency": currency,
        "ledger": {kind: round(float(amounts[place])) for kind, amounts in ledger.items()},
        "expected": [round(float(amounts[place])) for amounts in expected],
        "until_on": str(until_on),
    }

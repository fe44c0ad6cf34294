"""A block as columns: what the dealer has, and apart from it the truth, as `docs/fleet-columns.md` says.

Days count from 1970, and -1 is "none" or "not known"; money is in cents, and NaN where it is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from milepost_simulator.fleet import money
from milepost_simulator.fleet.blocks import BLOCK_OWNERS, Stream, generator
from milepost_simulator.fleet.flaws import Clusters
from milepost_simulator.fleet.intent import NOT_WITHIN
from milepost_simulator.fleet.items import ITEMS
from milepost_simulator.fleet.observed import Observed, Observer
from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.fleet import Block
    from milepost_simulator.fleet.lot import FleetPlan, Lot

    Ints = NDArray[np.int64]

Table = dict[str, "NDArray[Any]"]
Tables = dict[str, Table]

CARS_PER_BLOCK_MAX = 4096
BUYERS_FROM = 10**12
"""Numbers of owners who came with a car: beyond those of the plan."""
UNKNOWN_REGISTRATION = 0.03
UNKNOWN_CONTRACT, UNKNOWN_MONEY = 0.1, 0.2
WARRANTY_MONTHS, WARRANTY_KM = (36, 60), (100_000, 150_000)
LONG_WARRANTY = 0.2
LONG_SPELL_DAYS = 21
WARRANTY = len(Contract)
CONTRACT_KINDS = (*(contract.name.lower() for contract in Contract), "warranty")
FAULT_STATUS = ("pending", "confirmed", "cleared")
CAUSES = ("life", "owner")
ITEM_KEYS = tuple(dict.fromkeys(item.key for item in ITEMS))
_KEY_OF_ITEM = np.array([ITEM_KEYS.index(item.key) for item in ITEMS])


class BlockTables(NamedTuple):
    """What a block is written as. Indices of vehicles and tenures count from 0 within the block."""

    observed: Tables
    truth: Tables


def grid_days(plan: FleetPlan) -> Ints:
    """The days on whose eve the true odometer is written down, and at which months begin."""
    months = int(plan.days / MONTH_DAYS)
    days: Ints = plan.first_day + np.rint(np.arange(months) * MONTH_DAYS).astype(np.int64)
    return days


def block_tables(block: Block, *, with_wear: bool) -> BlockTables:
    """Observe a block and write down what is seen and what is true, for its wanted owners."""
    parts = _look(block, with_wear=with_wear)
    cars = np.unique(np.concatenate([part.car for part in parts]))
    vehicle_of = np.full(CARS_PER_BLOCK_MAX, -1)
    vehicle_of[cars] = np.arange(len(cars))
    observed, truth = [], []
    tenure = 0
    for part in parts:
        seen = _Writer(block, part, vehicle_of, tenure)
        observed.append(seen.observed())
        truth.append(seen.truth())
        tenure += len(part.row)
    both = _joined(observed), _joined(truth)
    _sort_readings(*both)
    rng = generator(block.plan.seed, block.number, Stream.OBSERVED)
    both[0]["vehicles"] = _vehicles(rng, block, parts, cars)
    return BlockTables(*both)


class _Part(NamedTuple):
    """A lot and what was seen of it; ``row`` are the wanted rows, ``car`` theirs."""

    lot: Lot
    seen: Observed
    row: Ints
    car: Ints
    rng: np.random.Generator


def _look(block: Block, *, with_wear: bool) -> list[_Part]:
    plan = block.plan
    rng = generator(plan.seed, block.number, Stream.OBSERVED, 0)
    clusters = Clusters(rng, CARS_PER_BLOCK_MAX, plan.days)
    parts = []
    for number, lot in enumerate(block.lots):
        own = generator(plan.seed, block.number, Stream.OBSERVED, 1 + number)
        seen = Observer(own, plan, lot, clusters).look(with_wear=with_wear)
        wanted = (lot.population.owner < block.owners) & (lot.population.from_day < plan.as_of_day)
        row = np.flatnonzero(wanted)
        parts.append(_Part(lot, seen, row, lot.population.car[row], own))
    return parts


def _vehicles(rng: np.random.Generator, block: Block, parts: list[_Part], cars: Ints) -> Table:
    model, registered = np.zeros(CARS_PER_BLOCK_MAX, np.int64), np.zeros(CARS_PER_BLOCK_MAX, np.int64)
    for part in reversed(parts):
        model[part.car] = part.lot.population.model[part.row]
        registered[part.car] = part.lot.population.registered_day[part.row]
    unknown = rng.random(CARS_PER_BLOCK_MAX) < UNKNOWN_REGISTRATION
    return {
        "number": block.number * CARS_PER_BLOCK_MAX + cars,
        "model": model[cars].astype(np.int16),
        "registered_day": np.where(unknown, -1, registered)[cars].astype(np.int32),
    }


def _joined(parts: list[Tables]) -> Tables:
    return {
        table: {name: np.concatenate([part[table][name] for part in parts]) for name in columns}
        for table, columns in parts[0].items()
    }


def _sort_readings(observed: Tables, truth: Tables) -> None:
    """By vehicle and time, also where a car has been in several hands; truth in the same order."""
    for name in ("readings", "wear"):
        order = np.lexsort((observed[name]["time_d"], observed[name]["vehicle"]))
        for tables in (observed, truth):
            tables[name] = {column: values[order] for column, values in tables[name].items()}


class _Writer:
    """Writes one lot of a block down; ``first_tenure`` is the number of its first wanted row."""

    def __init__(self, block: Block, part: _Part, vehicle_of: Ints, first_tenure: int) -> None:
        self._block, self._part, self._plan = block, part, block.plan
        self._vehicle = np.where(
            np.isin(np.arange(len(part.lot.population)), part.row), vehicle_of[part.lot.population.car], -1
        )
        self._tenure = np.full(len(part.lot.population), -1)
        self._tenure[part.row] = first_tenure + np.arange(len(part.row))

    def observed(self) -> Tables:
        """What the dealer has."""
        return {
            "tenures": self._tenures(),
            "readings": self._readings(),
            "wear": self._wear(),
            "services": self._services(),
            "contracts": self._contracts(),
            "faults": self._faults(),
        }

    def truth(self) -> Tables:
        """What nobody but the simulator knows."""
        return {
            "tenures": self._true_tenures(),
            "readings": self._true_readings(),
            "wear": self._true_wear(),
            "lives": self._lives(),
            "regimes": self._regimes(),
            "spells": self._spells(),
            "clusters": self._clusters(),
            "faults": self._true_faults(),
        }

    def _tenures(self) -> Table:
        row, people = self._part.row, self._part.lot.population.rows(self._part.row)
        number = self._block.number * BLOCK_OWNERS + people.owner
        # A car that changes hands twice has two buyers.
        buyer = BUYERS_FROM + self._block.number * CARS_PER_BLOCK_MAX * 8 + people.car * 8
        until = self._part.lot.until_day[row]
        return {
            "vehicle": self._vehicle[row].astype(np.int32),
            "owner": np.where(people.is_buyer, buyer + self._part.lot.generation, number),
            "owned_since_day": people.owned_since_day.astype(np.int32),
            "until_day": np.where(until < self._plan.as_of_day, until, -1).astype(np.int32),
            "bought_new": people.bought_new,
            "connected": self._part.seen.connected[row],
        }

    def _readings(self) -> Table:
        seen = self._part.seen.readings
        kept = self._kept_readings()
        return {
            "vehicle": self._vehicle[seen.row[kept]].astype(np.int32),
            "time_d": self._plan.first_day + seen.day[kept] + seen.hour_d[kept],
            "odometer_m": seen.sent_m[kept],
            "sigma_m": seen.sigma_m[kept].astype(np.float32),
            "source": seen.source[kept].astype(np.int8),
        }

    def _kept_readings(self) -> Ints:
        return np.flatnonzero(self._tenure[self._part.seen.readings.row] >= 0)

    def _true_readings(self) -> Table:
        seen, kept = self._part.seen.readings, self._kept_readings()
        return {"flaw": seen.flaw[kept].astype(np.int8), "odometer_m": seen.true_m[kept]}

    def _kept_wear(self) -> Ints:
        wear = self._part.seen.wear
        return np.zeros(0, np.int64) if wear is None else np.flatnonzero(self._tenure[wear.row] >= 0)

    def _wear(self) -> Table:
        wear, kept = self._part.seen.wear, self._kept_wear()
        none = np.zeros(0)
        row, day, hour, position, value = (
            (none.astype(np.int64),) * 2 + (none,) * 3
            if wear is None
            else (wear.row[kept], wear.day[kept], wear.hour_d[kept], wear.position[kept], wear.value[kept])
        )
        return {
            "vehicle": self._vehicle[row].astype(np.int32),
            "time_d": self._plan.first_day + day + hour,
            "position": position.astype(np.int8),
            "value": value.astype(np.float32),
        }

    def _true_wear(self) -> Table:
        wear, kept = self._part.seen.wear, self._kept_wear()
        share = np.zeros(0) if wear is None else wear.true_share[kept]
        return {"share": share.astype(np.float32)}

    def _services(self) -> Table:
        services, seen = self._part.lot.life.services, self._part.seen.services
        kept = np.flatnonzero(self._tenure[services.row[seen.service]] >= 0)
        service = seen.service[kept]
        return {
            "vehicle": self._vehicle[services.row[service]].astype(np.int32),
            "item": _KEY_OF_ITEM[services.item[service]].astype(np.int8),
            "done_day": services.day[service].astype(np.int32),
            "known_day": seen.known_day[kept].astype(np.int32),
            "odometer_m": seen.sent_m[kept],
        }

    def _contracts(self) -> Table:
        """What pays for the car where the dealer knows of it, and warranties."""
        part, people = self._part, self._part.lot.population
        count = len(people)
        known = part.rng.random(count) >= UNKNOWN_CONTRACT
        told = part.rng.random(count) >= UNKNOWN_MONEY
        fee = part.rng.uniform(*money.EXCESS_FEE_CENTS_PER_KM, count)
        is_long = (part.rng.random(count) < LONG_WARRANTY).astype(np.int64)
        row = np.flatnonzero((people.contract != Contract.OWNED) & known & (self._tenure >= 0))
        guaranteed = np.flatnonzero((self._tenure >= 0) & ~people.is_buyer)
        table = _paid(people.rows(row), fee[row], told[row])
        months = np.array(WARRANTY_MONTHS)[is_long[guaranteed]]
        registered = people.registered_day[guaranteed]
        end_m = 1000.0 * np.array(WARRANTY_KM)[is_long[guaranteed]]
        warranty = _warranties(registered, registered + np.rint(months * MONTH_DAYS).astype(np.int64), end_m)
        both = {name: np.concatenate([table[name], warranty[name]]) for name in table}
        rows = np.concatenate([row, guaranteed])
        place = {
            "vehicle": self._vehicle[rows].astype(np.int32),
            "tenure": self._tenure[rows].astype(np.int32),
        }
        return place | both

    def _faults(self) -> Table:
        """What devices have reported before the as-of day."""
        faults = self._part.lot.faults
        row = np.tile(faults.row, 3)
        day = np.concatenate([faults.pending_day, faults.confirmed_day, faults.cleared_day])
        status = np.repeat(np.arange(3), len(faults.row))
        until = np.minimum(self._part.lot.until_day, self._plan.as_of_day)[row]
        kept = (self._tenure[row] >= 0) & self._part.seen.connected[row]
        kept &= (day >= self._part.lot.population.from_day[row]) & (day < until)
        order = np.flatnonzero(kept)[np.lexsort((status[kept], day[kept], row[kept]))]
        return {
            "vehicle": self._vehicle[row[order]].astype(np.int32),
            "day": day[order].astype(np.int32),
            "code": np.tile(faults.code, 3)[order].astype(np.int16),
            "status": status[order].astype(np.int8),
        }

    def _true_faults(self) -> Table:
        faults = self._part.lot.faults
        here = (self._tenure[faults.row] >= 0) & (faults.pending_day < self._part.lot.until_day[faults.row])
        faults = faults.where(here & (faults.pending_day >= self._part.lot.population.from_day[faults.row]))
        return {
            "tenure": self._tenure[faults.row].astype(np.int32),
            "code": faults.code.astype(np.int16),
            "pending_day": faults.pending_day.astype(np.int32),
            "confirmed_day": faults.confirmed_day.astype(np.int32),
            "cleared_day": faults.cleared_day.astype(np.int32),
            "mended_day": faults.mended_day.astype(np.int32),
            "is_back": faults.is_back,
        }

    def _true_tenures(self) -> Table:
        lot, row, plan = self._part.lot, self._part.row, self._plan
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

    def _lives(self) -> Table:
        """From one renewal to the next: all that follows of when an item is due, and how far it is worn."""
        lot, plan = self._part.lot, self._plan
        lives = lot.life.lives
        # None that begin after the car was given away, or after the history.
        end = np.minimum(lot.until_day, plan.as_of_day)[lives.row] - plan.first_day
        kept = np.flatnonzero((self._tenure[lives.row] >= 0) & (lives.seen_day < end))
        row = lives.row[kept]
        seen_km = lot.odometer_km(row, lives.seen_day[kept])
        first, days = plan.first_day, plan.days

        def day_or_none(day: Ints) -> NDArray[np.int32]:
            return np.where(day < days, first + day, -1).astype(np.int32)

        return {
            "tenure": self._tenure[row].astype(np.int32),
            "item": _KEY_OF_ITEM[lives.item[kept]].astype(np.int8),
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

    def _regimes(self) -> Table:
        """Lasting changes of usage: of a life, and those that come with a new owner."""
        lot, plan = self._part.lot, self._plan
        row, change = np.nonzero(lot.usage.change_day < plan.days)
        day, factor = plan.first_day + lot.usage.change_day[row, change], lot.usage.change_factor[row, change]
        buyers = np.flatnonzero(lot.population.is_buyer & (self._tenure >= 0))
        here = (self._tenure[row] >= 0) & (day < lot.until_day[row]) & (day > lot.population.from_day[row])
        return {
            "vehicle": self._vehicle[np.concatenate([row[here], buyers])].astype(np.int32),
            "day": np.concatenate([day[here], lot.population.from_day[buyers]]).astype(np.int32),
            "factor": np.concatenate([factor[here], np.full(len(buyers), np.nan)]).astype(np.float32),
            "cause": np.repeat([0, 1], [int(here.sum()), len(buyers)]).astype(np.int8),
        }

    def _spells(self) -> Table:
        usage, first = self._part.lot.usage, self._plan.first_day
        begin, until = first + usage.spell_from, first + usage.spell_until
        here = (self._tenure[usage.spell_row] >= 0) & (until - begin >= LONG_SPELL_DAYS)
        here &= begin >= self._part.lot.population.from_day[usage.spell_row]
        here &= begin < self._part.lot.until_day[usage.spell_row]
        return {
            "vehicle": self._vehicle[usage.spell_row[here]].astype(np.int32),
            "from_day": begin[here].astype(np.int32),
            "until_day": until[here].astype(np.int32),
        }

    def _clusters(self) -> Table:
        seen, kept = self._part.seen.swaps, self._tenure[self._part.seen.swaps.row] >= 0
        return {
            "vehicle": self._vehicle[seen.row[kept]].astype(np.int32),
            "day": (self._plan.first_day + seen.day[kept]).astype(np.int32),
            "offset_m": np.rint(1000 * seen.offset_km[kept]).astype(np.int64),
        }


def _paid(people: Any, fee: NDArray[np.float64], told: NDArray[np.bool_]) -> Table:
    """Contracts (people) that pay for a car; ``told``: whether the dealer knows the money in it."""
    price = money.CENTS * money.PRICE[people.model]
    years = (people.contract_end_day - people.contract_start_day) / YEAR_DAYS
    is_debt = (people.contract == Contract.LEASE) | (people.contract == Contract.FINANCE)
    has_limit = people.allowance_km_year > 0

    def known(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(told & where, np.rint(values), np.nan)

    new = people.registered_day >= people.contract_start_day
    return {
        "kind": people.contract.astype(np.int8),
        "start_day": people.contract_start_day.astype(np.int32),
        "end_day": people.contract_end_day.astype(np.int32),
        "start_m": np.where(new, 0.0, np.nan),
        "end_m": np.full(len(price), np.nan),
        "allowance_m": np.where(has_limit, 1000.0 * people.allowance_km_year * years, np.nan),
        "excess_fee_per_km": np.where(has_limit, np.round(fee, 1), np.nan),
        "principal": known((1 - money.DEPOSIT) * money.price_share(people) * price, is_debt),
        "monthly_rate": known(money.payment_share(people) * price, np.ones(len(price), dtype=bool)),
        "annual_interest": np.where(told & is_debt, money.INTEREST_YEAR, np.nan),
        "balloon": known(money.balloon_share(people) * price, is_debt),
    }


def _warranties(start_day: Ints, end_day: Ints, end_m: NDArray[np.float64]) -> Table:
    nothing = np.full(len(start_day), np.nan)
    money_columns = (
        "allowance_m",
        "excess_fee_per_km",
        "principal",
        "monthly_rate",
        "annual_interest",
        "balloon",
    )
    return {
        "kind": np.full(len(start_day), WARRANTY, dtype=np.int8),
        "start_day": start_day.astype(np.int32),
        "end_day": end_day.astype(np.int32),
        "start_m": np.zeros(len(start_day)),
        "end_m": end_m,
        **dict.fromkeys(money_columns, nothing),
    }

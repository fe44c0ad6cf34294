"""How long the items of a fleet take: ten a vehicle, three years of monthly readings, some measured wear."""

from __future__ import annotations

import time

import numpy as np

from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, offsets_of
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, Previous, SignalRows
from milepost_server.signals.fleet.results import item_results
from milepost_server.signals.items.item import Item
from milepost_server.signals.items.life_cycle import (
    Action,
    Actions,
    LifeCycleRules,
    Listing,
    life_cycle,
    listing,
)
from milepost_server.signals.items.starts import ServiceRecords
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import History, Usage, UsageRules

SEED = 20_260_101
CHUNK_VEHICLES = 50_000
CHUNKS = 2
MONTHS = 36
MODELS = 40
NOW_D = 20_000.0
RECORDED_SHARE = 0.6
"""Of items whose last service is on record; twice, since there is one before it."""
MEASURED_SHARE = 0.3
"""Of vehicles that measure the wear of a position, and count down to their service."""
READINGS_EACH = 6
ACTED_SHARE = 0.02
"""Of items that staff did something about."""


def measure() -> dict[str, float]:
    """Seconds of one core for a million vehicles of ten items: due dates and states; life cycles."""
    rng = np.random.default_rng(SEED)
    due_s = cycle_s = 0.0
    for _ in range(CHUNKS):
        fleet, before = chunk(rng)
        began = time.process_time()
        results = list(item_results(fleet, NOW_D, ItemRules(), before))
        due_s += time.process_time() - began
        for result in results:
            size = len(result.which)
            actions = _actions(rng, size)
            began = time.process_time()
            listed = listing(Listing.none(size), result.due.state, result.began_anew, NOW_D)
            life_cycle(actions, listed, result.starts.time_d, NOW_D, LifeCycleRules())
            cycle_s += time.process_time() - began
    million = 1e6 / (CHUNKS * CHUNK_VEHICLES)
    return {"items_million_s": due_s * million, "life_cycle_million_s": cycle_s * million}


def chunk(rng: np.random.Generator, vehicles: int = CHUNK_VEHICLES) -> tuple[Fleet, Previous]:
    """Combustion cars of some forty models, and the states of the day before."""
    ages_d = DAYS_PER_MONTH * np.arange(MONTHS - 1, -1, -1) + rng.uniform(0, 10, (vehicles, 1))
    rate = 40_000 * rng.gamma(4, 0.25, vehicles)
    steps = rate[:, None] * DAYS_PER_MONTH * rng.gamma(9, 1 / 9, (vehicles, MONTHS))
    odometer_m = np.cumsum(steps, axis=1) + rng.uniform(0, 8e7, (vehicles, 1))
    history = History(offsets_of(np.full(vehicles, MONTHS)), (NOW_D - ages_d).ravel(), odometer_m.ravel())
    usage = Usage(rate, np.full(vehicles, 0.05), np.full(vehicles, 0.16), np.full(vehicles, 4.0))
    plans = shipped_book().plans([Kind("combustion", "Make", str(n % MODELS)) for n in range(vehicles)])
    fleet = Fleet(
        axis=OdometerAxis(history, rate, NOW_D - ages_d[:, -1], odometer_m[:, -1].copy(), np.zeros(vehicles)),
        ahead=Ahead(usage, UsageRules()),
        registered_d=NOW_D - rng.uniform(900, 3_000, vehicles),
        plans=plans,
        keys=plans.keys,
        records=_records(rng, vehicles, len(plans.keys)),
        signals=_signals(rng, vehicles, plans.plans[0].items),
    )
    shape = (vehicles, len(plans.keys))
    return fleet, Previous(rng.integers(0, 5, shape), np.full(shape, np.nan))


def _records(rng: np.random.Generator, vehicles: int, items: int) -> ServiceRecords:
    place = np.flatnonzero(rng.uniform(size=vehicles * items) < RECORDED_SHARE)
    place = np.tile(place, 2)
    done_d = np.floor(NOW_D - rng.uniform(0, 900, len(place)))
    return ServiceRecords(place // items, place % items, done_d, np.full(len(place), np.nan))


def _signals(rng: np.random.Generator, vehicles: int, items: tuple[Item, ...]) -> dict[str, SignalRows]:
    signals = {}
    for item in items:
        for path in item.wear.signals if item.wear is not None else ():
            assert item.wear is not None
            way = np.sort(rng.uniform(0, 0.9, (vehicles, READINGS_EACH)), axis=1)
            signals[path] = _rows(rng, item.wear.new + (item.wear.limit - item.wear.new) * way)
        for path in item.countdown.distances if item.countdown is not None else ():
            signals[path] = _rows(rng, 15_000 * np.sort(rng.uniform(size=(vehicles, READINGS_EACH)))[:, ::-1])
    return signals


def _rows(rng: np.random.Generator, value: Floats) -> SignalRows:
    vehicle = np.flatnonzero(rng.uniform(size=len(value)) < MEASURED_SHARE)
    time_d = NOW_D - np.sort(rng.uniform(0, 900, (len(vehicle), READINGS_EACH)))[:, ::-1]
    return SignalRows(np.repeat(vehicle, READINGS_EACH), time_d.ravel(), value[vehicle].ravel())


def _actions(rng: np.random.Generator, items: int) -> Actions:
    item = rng.integers(0, items, int(items * ACTED_SHARE))
    action, ago_d = rng.integers(0, len(Action), len(item)), rng.uniform(0, 60, len(item))
    return Actions(item, action, NOW_D - ago_d, np.floor(NOW_D - ago_d + 20))


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name} {value:.1f}")

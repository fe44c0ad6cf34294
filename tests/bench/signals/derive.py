"""How fast a fleet is derived: a million vehicles, a thousand that changed, and one by one in a loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.signals import million
from bench.signals.fleet import NOW_D, SEED, fleet
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.fleet import FaultInputs, Inputs, MoneyInputs, Services
from milepost_server.derivation.steps.whole import Derived, derive
from milepost_server.signals.flat import Ints, owners_of
from milepost_server.signals.fleet.inputs import SignalRows
from milepost_server.signals.odometer import OdometerReadings
from milepost_server.signals.schedules.book import Plans

TESTS = Path(__file__).resolve().parents[2]
LOOP_VEHICLES = 60
"""How many the loop takes; its time is scaled to a million."""
CLOSE = 1e-9


def measure() -> dict[str, Any]:
    """Processor seconds of one core, and the peak of memory in GB of 10^9 bytes."""
    found = _million()
    loop_s = _loop_million_s()
    whole_s = float(found["whole_s"])
    return {
        "derive_million_s": whole_s,
        "derive_million_gb": float(found["gb"]),
        "derive_over_loop": loop_s / (whole_s - float(found["parts_s"]["learn"])),
        "incremental_share": float(found["changed_s"]) / whole_s,
        "derive_parts": [{"part": name, "seconds": seconds} for name, seconds in found["parts_s"].items()],
    }


def _million() -> dict[str, Any]:
    environment = {**os.environ, **dict.fromkeys(million.ONE_CORE, "1"), "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", million.__name__]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _loop_million_s() -> float:
    """Seconds for a million vehicles, one after the other; each has the results that it has among others."""
    config, vehicles = Configuration(), LOOP_VEHICLES
    whole = fleet(vehicles, 0)
    learned = million.learn_nothing(1)
    together = derive(whole, million.learn_nothing(vehicles), NOW_D, config)
    spent_s = 0.0
    for place in range(vehicles):
        one = _alone(whole, place)
        began = time.process_time()
        alone = derive(one, learned, NOW_D, config)
        spent_s += time.process_time() - began
        _check(alone, together, place)
    return spent_s * million.VEHICLES / vehicles


def _alone(inputs: Inputs, place: int) -> Inputs:
    """One vehicle of a fleet, as a fleet of its own."""
    return Inputs(
        plans=Plans(inputs.plans.plans, inputs.plans.of[[place]]),
        keys=inputs.keys,
        registered_d=inputs.registered_d[[place]],
        odometer=_odometer(inputs.odometer, place),
        services=_services(inputs.services, place),
        signals={path: _signal(rows, place) for path, rows in inputs.signals.items()},
        faults=_faults(inputs.faults, place),
        money=_money(inputs.money, place),
    )


def _odometer(all_: OdometerReadings, place: int) -> OdometerReadings:
    rows = slice(all_.offsets[place], all_.offsets[place + 1])
    names = ("time_d", "odometer_m", "trusted", "plausible", "tolerance_m")
    return OdometerReadings(_of_one(rows), *(getattr(all_, name)[rows] for name in names))


def _of_one(rows: slice) -> Ints:
    return np.array([0, rows.stop - rows.start], dtype=np.int64)


def _services(all_: Services, place: int) -> Services:
    mine = all_.vehicle == place
    return Services(all_.vehicle[mine] * 0, all_.item[mine], all_.done_d[mine], all_.odometer_row[mine])


def _signal(rows: SignalRows, place: int) -> SignalRows:
    mine = rows.vehicle == place
    return SignalRows(rows.vehicle[mine] * 0, rows.time_d[mine], rows.value[mine])


def _faults(all_: FaultInputs, place: int) -> FaultInputs:
    rows = slice(all_.offsets[place], all_.offsets[place + 1])
    none = np.zeros(0, dtype=np.int64)
    return FaultInputs(_of_one(rows), all_.code[rows], all_.status[rows], all_.time_d[rows], none, none, none)


def _money(all_: MoneyInputs, place: int) -> MoneyInputs:
    taken = all_.contracts.taken(np.flatnonzero(all_.contracts.vehicle == place))
    taken.vehicle[:] = 0
    names = ("curve", "loss_over_usual", "list_price", "since_d", "pack_warranty")
    return MoneyInputs(*(getattr(all_, name)[[place]] for name in names), taken)


def _check(alone: Derived, together: Derived, place: int) -> None:
    """Raise an ``AssertionError`` where a vehicle alone has other results than among others."""
    rate = together.usage.rate_m_per_d[place]
    assert np.isclose(alone.usage.rate_m_per_d[0], rate, rtol=CLOSE)
    here = owners_of(together.driven.clean.offsets) == place
    np.testing.assert_allclose(alone.driven.clean.odometer_m, together.driven.clean.odometer_m[here])
    for mine, all_ in zip(alone.items, together.items, strict=True):
        row = int(np.searchsorted(all_.starts.vehicle, place))
        np.testing.assert_allclose(mine.due.time_d[:, 0], all_.due.time_d[:, row], rtol=CLOSE)
        assert mine.due.state[0] == all_.due.state[row]
    assert alone.readiness.scores.points[0] == together.readiness.scores.points[place]


if __name__ == "__main__":
    print(json.dumps({**measure(), "seed": SEED}, indent=2))

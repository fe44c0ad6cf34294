"""From faults and batteries in arrays to rows of ``vehicle_faults`` and ``vehicle_health``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation import signal_paths, times
from milepost_server.derivation.rows.usage import Row, day_or_none, or_none
from milepost_server.signals.faults.codes import decode
from milepost_server.signals.faults.events import STATUSES
from milepost_server.signals.faults.systems import URGENCIES, shipped_systems
from milepost_server.signals.faults.urgency import reason_words
from milepost_server.signals.health.battery import BatteryState, Measure
from milepost_server.signals.health.pack import PackOutcome
from milepost_server.signals.health.trend import HORIZON_D_MAX

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk, ReadingIds
    from milepost_server.derivation.steps.whole import Derived
    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.faults.texts import FaultTexts
    from milepost_server.signals.health.battery import Battery
    from milepost_server.signals.health.pack import Packs

_PERCENTILES = ("p10", "p50", "p90")


def fault_rows(chunk: Chunk, derived: Derived, as_of: AsOf, texts: FaultTexts) -> Iterator[Row]:
    """Rows of ``vehicle_faults``, without dealer, date and version."""
    found, table = derived.health, shipped_systems()
    faults, urgency = found.faults, found.urgency
    for row, place in enumerate(faults.vehicle):
        code = int(faults.code[row])
        vehicle = chunk.vehicles[place]
        yield {
            "vehicle_id": vehicle.id,
            "code": decode(code),
            "title": texts.title(decode(code), vehicle.make),
            "system": table.of(code).key,
            "status": STATUSES[int(faults.status[row])].value,
            "urgency": URGENCIES[int(urgency.level[row])],
            "reason": reason_words(code, int(urgency.why[row]), table),
            "first_seen_at": _moment(faults.first_seen_d[row], as_of),
            "last_seen_at": _moment(faults.last_seen_d[row], as_of),
            "recurrences": int(faults.returns[row]),
            "cleared_before_visit": bool(found.before_visit[row]),
            "evidence": _evidence(
                chunk.fault_ids,
                signal_paths.DTC,
                int(faults.first_seen_row[row]),
                int(faults.last_seen_row[row]),
            ),
        }


def health_rows(chunk: Chunk, derived: Derived, as_of: AsOf, config: Configuration) -> Iterator[Row]:
    """Rows of ``vehicle_health``, without dealer, date and version."""
    found = derived.health
    for place, vehicle in enumerate(chunk.vehicles):
        has_pack = chunk.inputs.money.pack_warranty[place] >= 0
        yield {
            "vehicle_id": vehicle.id,
            **_battery(found.battery, place, as_of, config),
            **_pack(found.pack, place, found.pack_limit[place], as_of, has_pack=bool(has_pack)),
            "evidence": _health_evidence(chunk, derived, place),
        }


def _battery(battery: Battery, place: int, as_of: AsOf, config: Configuration) -> Row:
    measure = int(battery.measure[place])
    days = (battery.days_p10[place], battery.days_p50[place], battery.days_p90[place])
    return {
        "battery_state": BatteryState(int(battery.state[place])).name.lower(),
        "battery_measure": None if measure < 0 else Measure(measure).name.lower(),
        "battery_level": or_none(battery.level[place]),
        "battery_per_year": or_none(battery.slope_per_year[place]),
        "battery_limit": None if measure < 0 else config.battery.measures[measure].replace,
        **{
            f"battery_{name}_on": _reached(as_of.end_d + day, as_of)
            for name, day in zip(_PERCENTILES, days, strict=True)
        },
    }


def _pack(packs: Packs, place: int, limit: float, as_of: AsOf, *, has_pack: bool) -> Row:
    days = (packs.reach_d_p10[place], packs.reach_d_p50[place], packs.reach_d_p90[place])
    metres = (packs.reach_m_p10[place], packs.reach_m_p50[place], packs.reach_m_p90[place])
    return {
        "pack_outcome": PackOutcome(int(packs.outcome[place])).name.lower() if has_pack else None,
        "pack_percent": or_none(packs.level[place]),
        "pack_per_year": or_none(packs.slope_per_year[place]),
        "pack_limit_percent": or_none(limit),
        "pack_warranty_ends_on": day_or_none(packs.warranty_end_d[place]),
        "pack_claim_odds": or_none(packs.claim_odds[place]),
        **{f"pack_{name}_on": _reached(day, as_of) for name, day in zip(_PERCENTILES, days, strict=True)},
        **{
            f"pack_{name}_odometer_m": or_none(metre)
            for name, metre in zip(_PERCENTILES, metres, strict=True)
        },
    }


def _reached(day: float, as_of: AsOf) -> dt.date | None:
    """The date on which a limit is reached: the as-of date where it is already; None beyond what can be
    foretold."""
    if day <= as_of.end_d:
        return as_of.date
    return day_or_none(day) if day < as_of.end_d + HORIZON_D_MAX else None


def _health_evidence(chunk: Chunk, derived: Derived, place: int) -> Row:
    battery, pack = derived.health.battery, derived.health.pack
    readings = []
    if battery.measure[place] >= 0:
        path = signal_paths.BATTERY[int(battery.measure[place])]
        first, last = int(battery.first_row[place]), int(battery.last_row[place])
        readings += _pair(chunk.signal_ids[path], path, first, last)
    if pack.last_row[place] >= 0:
        path, first, last = signal_paths.PACK, int(pack.first_row[place]), int(pack.last_row[place])
        readings += _pair(chunk.signal_ids[path], path, first, last)
    return {"readings": readings, "service_records": []}


def _evidence(ids: ReadingIds, path: str, first: int, last: int) -> Row:
    return {"readings": _pair(ids, path, first, last), "service_records": []}


def _pair(ids: ReadingIds, path: str, first: int, last: int) -> list[Row]:
    """The first and the latest of the readings, or one of them where there is only one; none at -1."""
    rows = [(role, row) for role, row in (("first", first), ("latest", last)) if row >= 0]
    return [
        {"role": role, "signal": path, "stream": int(ids.stream_id[row]), "seq": int(ids.seq[row])}
        for role, row in (rows[-1:] if first == last else rows)
    ]


def _moment(day: float, as_of: AsOf) -> dt.datetime | None:
    return times.moment(as_of.ms(float(day))) if np.isfinite(day) else None

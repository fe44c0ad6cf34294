"""From due items in arrays to rows of ``service_due``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation.rows.usage import Row, day_or_none, odometer_evidence, or_none
from milepost_server.derivation.rows.wording import Begin, Said, limit_short, limit_text, rests_on
from milepost_server.signals.flat import METRES_PER_KM
from milepost_server.signals.items.counters import SIGNALS
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.life_cycle import Stage
from milepost_server.signals.items.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.steps.standing import Standing
    from milepost_server.derivation.steps.whole import Derived
    from milepost_server.signals.fleet.results import ItemResult

_PERCENTILES = ("p10", "p50", "p90")


def due_rows(chunk: Chunk, derived: Derived) -> Iterator[Row]:
    """Rows of ``service_due``, without dealer, date and version."""
    odometer = odometer_evidence(chunk, derived)
    for result, begin in zip(derived.items, derived.standing.begin[:-1], strict=True):
        for row, place in enumerate(result.starts.vehicle):
            said = Said(result, row, _begin(chunk, result, row))
            yield {
                "vehicle_id": chunk.vehicles[place].id,
                "item": result.key,
                "title": result.items[int(result.which[row])].title,
                **_numbers(result, row),
                **_standing(derived.standing, int(begin) + row, result, row),
                "rests_on": rests_on(said).value,
                "limit_text": limit_text(said),
                "limit_short": limit_short(said),
                "limits": _limits(result, row),
                "wear": _wear(result, row),
                "evidence": _evidence(chunk, result, row, odometer[place]),
            }


def _begin(chunk: Chunk, result: ItemResult, row: int) -> Begin:
    starts = result.starts
    start_on = day_or_none(starts.time_d[row])
    seen = starts.seen is not None and bool(starts.seen[row])
    registered_on = chunk.vehicles[int(starts.vehicle[row])].first_registered_on
    return Begin(
        done_on=start_on if starts.recorded[row] else None,
        seen_on=start_on if seen else None,
        registered_on=registered_on,
    )


def _numbers(result: ItemResult, row: int) -> Row:
    due = result.due
    state, first = State(int(due.state[row])), FirstLimit(int(due.first_limit[row]))
    numbers: Row = {"state": state.name.lower(), "basis": first.name.lower()}
    known = state is not State.UNKNOWN
    has_odometer = known and bool(np.isfinite(result.starts.anchor_d[row]))
    for place, name in enumerate(_PERCENTILES):
        numbers[f"{name}_on"] = day_or_none(due.time_d[place, row])
        numbers[f"{name}_odometer_m"] = or_none(due.odometer_m[place, row]) if has_odometer else None
    numbers["p_30d"] = or_none(due.p_30d[row])
    numbers["p_90d"] = or_none(due.p_90d[row])
    wear = result.wear
    numbers["worn"] = None if wear is None else or_none(wear.limit.worn[row])
    numbers["position"] = None if wear is None else wear.signals[int(wear.position[row])]
    return numbers


def _standing(standing: Standing, place: int, result: ItemResult, row: int) -> Row:
    cycle, listed = standing.cycle, standing.listing
    return {
        "started_on": day_or_none(result.starts.time_d[row]),
        "listed_since_on": day_or_none(listed.since_d[place]),
        "due_since_on": day_or_none(listed.due_since_d[place]),
        "cleared_on": day_or_none(listed.cleared_d[place]),
        "life_cycle": Stage(int(cycle.stage[place])).name.lower(),
        "life_cycle_since": day_or_none(cycle.since_d[place]),
        "life_cycle_until": day_or_none(cycle.until_d[place]),
        "is_shown": bool(cycle.shown[place]),
        "reminders": int(cycle.reminders[place]),
        "remind_on": day_or_none(cycle.next_reminder_d[place]),
    }


def _limits(result: ItemResult, row: int) -> list[Row]:
    """All limits that there are, the first to come at the front."""
    found = []
    for limit, reached in zip(result.limits.limits.each, result.due.reached, strict=True):
        days = reached.time_d[:, row]
        if not np.isfinite(days[1]):
            continue
        at, unit = (limit.at_m, "m") if limit.at_m is not None else (limit.at_d, "d")
        said = {
            "limit": limit.kind.name.lower(),
            **{f"{name}_on": str(day_or_none(day)) for name, day in zip(_PERCENTILES, days, strict=True)},
            "at": None if at is None else or_none(at[row]),
            "unit": unit,
        }
        found.append((float(days[1]), said))
    return [said for _, said in sorted(found, key=lambda pair: pair[0])]


def _wear(result: ItemResult, row: int) -> list[Row]:
    """Every position, the first to reach its limit at the front."""
    if result.wear is None:
        return []
    positions = zip(result.wear.signals, result.wear.each, strict=True)
    found = [
        {
            "signal": path,
            "worn": or_none(limit.worn[row]),
            "limit_odometer_m": or_none(limit.at_m[row]),
            "per_1000_km": or_none(limit.rate_per_m[row] * METRES_PER_KM * 1_000),
            "measured": bool(limit.measured[row]),
        }
        for path, limit in positions
    ]
    return sorted(found, key=lambda one: (not one["measured"], one["limit_odometer_m"] or np.inf))


def _evidence(chunk: Chunk, result: ItemResult, row: int, odometer: list[Row]) -> Row:
    """``{"readings": [{role, signal, stream, seq}], "service_records": [{role, id}]}``."""
    readings = [entry for entry in odometer if "seq" in entry]
    records = [entry for entry in odometer if "seq" not in entry]
    if result.wear is not None:
        path = result.wear.signals[int(result.wear.position[row])]
        limit = result.wear.limit
        readings += _pair(chunk, path, int(limit.first_row[row]), int(limit.last_row[row]))
    for kind, limit in result.counters:
        readings += _pair(chunk, SIGNALS[kind], int(limit.first_row[row]), int(limit.last_row[row]))
    if result.due.first_limit[row] == FirstLimit.COUNTDOWN:
        readings += _countdown(chunk, result, row)
    service = int(result.record[row])
    if service >= 0:
        records.append({"role": "start", "id": int(chunk.service_ids[service])})
    return {"readings": readings, "service_records": records}


def _pair(chunk: Chunk, path: str, first: int, last: int) -> list[Row]:
    return [] if last < 0 else [_reading(chunk, path, "first", first), _reading(chunk, path, "latest", last)]


def _countdown(chunk: Chunk, result: ItemResult, row: int) -> list[Row]:
    """The latest reading of each countdown to the item."""
    countdown, vehicle = result.items[int(result.which[row])].countdown, result.starts.vehicle[row]
    found = []
    for path in () if countdown is None else countdown.signals:
        last = int(np.searchsorted(chunk.inputs.signals[path].vehicle, vehicle, side="right")) - 1
        if last >= 0 and chunk.inputs.signals[path].vehicle[last] == vehicle:
            found.append(_reading(chunk, path, "latest", last))
    return found


def _reading(chunk: Chunk, path: str, role: str, row: int) -> Row:
    ids = chunk.signal_ids[path]
    return {"role": role, "signal": path, "stream": int(ids.stream_id[row]), "seq": int(ids.seq[row])}

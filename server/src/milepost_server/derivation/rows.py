"""From results in arrays to rows of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation import times
from milepost_server.derivation.signal_paths import ODOMETER
from milepost_server.derivation.wording import limit_short, limit_text, rests_on
from milepost_server.signals.due import FirstLimit
from milepost_server.signals.flat import owners_of
from milepost_server.signals.odometer import Verdict
from milepost_server.signals.states import State
from milepost_server.store.schema import LifeCycle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.derivation.loading import Chunk, OdometerSources
    from milepost_server.derivation.steps import Derived, ItemResult
    from milepost_server.derivation.times import AsOf

Row = dict[str, Any]


def usage_rows(chunk: Chunk, derived: Derived, as_of: AsOf) -> Iterator[Row]:
    """Rows of ``vehicle_usage``, without dealer, date and version."""
    usage, driven = derived.usage, derived.driven
    for place, vehicle in enumerate(chunk.vehicles):
        last_d, last_m = driven.anchor_d[place], driven.anchor_m[place]
        yield {
            "vehicle_id": vehicle.id,
            "rate_m_per_d": float(usage.rate_m_per_d[place]),
            "level_variance": float(usage.level_variance[place]),
            "month_variance": float(usage.month_variance[place]),
            "weight_months": float(usage.weight_months[place]),
            "last_time_ms": None if np.isnan(last_d) else as_of.ms(float(last_d)),
            "last_odometer_m": None if np.isnan(last_m) else float(last_m),
        }


def judgement_rows(chunk: Chunk, derived: Derived) -> Iterator[Row]:
    """Rows of ``odometer_judgements``, without dealer; odometers from service records are not judged here."""
    clean, sources = derived.driven.clean, chunk.sources
    clean_m = np.full(len(clean.verdict), np.nan)
    clean_m[clean.row] = clean.odometer_m
    segment = np.zeros(len(clean.verdict), dtype=np.int64)
    segment[clean.row] = clean.segment
    vehicle = owners_of(chunk.odometer.offsets)
    for row in np.flatnonzero(sources.is_reading()):
        verdict = Verdict(int(clean.verdict[row]))
        yield {
            "vehicle_id": chunk.vehicles[vehicle[row]].id,
            "stream_id": int(sources.stream_id[row]),
            "seq": int(sources.seq[row]),
            "time_ms": int(sources.time_ms[row]),
            "odometer_m": int(chunk.odometer.odometer_m[row]),
            "clean_m": _or_none(clean_m[row]),
            "segment": int(segment[row]),
            "kept": verdict.kept,
            "reason": None if verdict is Verdict.KEPT else verdict.word,
        }


def due_rows(chunk: Chunk, derived: Derived, as_of: AsOf) -> Iterator[Row]:
    """Rows of ``service_due``, without dealer, date and version."""
    odometer = _odometer_evidence(chunk, derived)
    for result in derived.items:
        for row, place in enumerate(result.starts.vehicle):
            vehicle = chunk.vehicles[place]
            yield {
                "vehicle_id": vehicle.id,
                "item": result.item.key,
                **_numbers(result, row),
                **_standing(result, row, as_of),
                "rests_on": rests_on(result, row).value,
                "limit_text": limit_text(result, row, vehicle.first_registered_on),
                "limit_short": limit_short(result, row, vehicle.first_registered_on),
                "evidence": _evidence(result, row, odometer[place]),
            }


def _numbers(result: ItemResult, row: int) -> Row:
    due = result.due
    state, first = State(int(due.state[row])), FirstLimit(int(due.first_limit[row]))
    numbers: Row = {"state": state.name.lower(), "basis": first.name.lower()}
    for name, time_d, odometer_m in zip(
        ("p10", "p50", "p90"), due.time_d[:, row], due.odometer_m[:, row], strict=True
    ):
        known = state is not State.UNKNOWN
        has_odometer = known and bool(np.isfinite(result.starts.anchor_d[row]))
        numbers[f"{name}_on"] = times.date_of(float(time_d)) if known else None
        numbers[f"{name}_odometer_m"] = _or_none(odometer_m) if has_odometer else None
    numbers["p_30d"] = _or_none(due.p_30d[row])
    numbers["p_90d"] = _or_none(due.p_90d[row])
    numbers["worn"] = None if result.wear is None else _or_none(result.wear.limit.worn[row])
    return numbers


def _standing(result: ItemResult, row: int, as_of: AsOf) -> Row:
    state = State(int(result.due.state[row]))
    needs = state in (State.UPCOMING, State.DUE, State.OVERDUE)
    return {
        "position": None,
        "state_raw": state.name.lower(),
        "state_since": as_of.date,
        "life_cycle": (LifeCycle.OPEN if needs else LifeCycle.NONE).value,
        "life_cycle_since": as_of.date,
        "reminders": 0,
        "remind_on": None,
        "limits": [],
        "wear": [],
    }


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _evidence(result: ItemResult, row: int, odometer: list[Row]) -> Row:
    """``{"readings": [{role, signal, stream, seq}], "service_records": [{role, id}]}``."""
    readings = [entry for entry in odometer if "seq" in entry]
    records = [entry for entry in odometer if "seq" not in entry]
    if result.wear is not None:
        readings += [
            {"role": role, "signal": path, "stream": reading.stream_id, "seq": reading.seq}
            for role, path, reading in result.wear.readings[row]
        ]
    service = result.service[row]
    if service is not None:
        records.append({"role": "start", "id": service.id})
    return {"readings": readings, "service_records": records}


def _odometer_evidence(chunk: Chunk, derived: Derived) -> list[list[Row]]:
    """First and latest kept odometer reading of each vehicle (V): what its rate and projection rest on."""
    clean = derived.driven.clean
    evidence = []
    for first, end in zip(clean.offsets[:-1], clean.offsets[1:], strict=True):
        rows = [] if first == end else [("first", clean.row[first]), ("latest", clean.row[end - 1])]
        evidence.append([_source(chunk.sources, role, int(row)) for role, row in rows])
    return evidence


def _source(sources: OdometerSources, role: str, row: int) -> Row:
    stream_id, seq = int(sources.stream_id[row]), int(sources.seq[row])
    if seq < 0:
        return {"role": role, "id": stream_id}
    return {"role": role, "signal": ODOMETER, "stream": stream_id, "seq": seq}

"""From results in arrays to rows of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation import times
from milepost_server.derivation.signal_paths import ODOMETER
from milepost_server.signals.flat import owners_of
from milepost_server.signals.odometer import Verdict
from milepost_server.signals.usage.regimes import Change

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from milepost_server.derivation.fleet import Chunk, OdometerSources
    from milepost_server.derivation.steps.whole import Derived
    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.usage.pace import Learned
    from milepost_server.signals.usage.regimes import Regimes

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
            "last_odometer_m": or_none(last_m),
            "pace": _pace(derived.pace, place),
            **_change(driven.regimes, place),
        }


def _change(found: Regimes, place: int) -> Row:
    """The latest change of use of one vehicle."""
    kind, before = Change(int(found.kind[place])), float(found.before_m_per_d[place])
    return {
        "usage_changed_on": day_or_none(found.since_d[place]),
        "usage_changed_from_on": day_or_none(found.first_d[place]),
        "usage_changed_to_on": day_or_none(found.last_d[place]),
        "usage_change": or_none(found.after_m_per_d[place] / before) if before > 0 else None,
        "usage_change_reason": None if kind is Change.NONE else kind.name.lower(),
        "usage_before_m_per_d": or_none(found.before_m_per_d[place]),
        "usage_after_m_per_d": or_none(found.after_m_per_d[place]),
        "usage_is_break": bool(found.is_break[place]),
        "usage_asks_for_owner": bool(found.ask_for_owner[place]),
    }


def _pace(pace: Learned | None, place: int) -> Row | None:
    if pace is None:
        return None
    sides = {"early": pace.early.tolist(), "late": pace.late.tolist()}
    return {"longer": pace.longer[place].tolist(), **sides}


def judgement_rows(chunk: Chunk, derived: Derived) -> Iterator[Row]:
    """Rows of ``odometer_judgements``, without dealer; odometers from service records are not judged here."""
    clean, sources = derived.driven.clean, chunk.sources
    clean_m = np.full(len(clean.verdict), np.nan)
    clean_m[clean.row] = clean.odometer_m
    segment = np.zeros(len(clean.verdict), dtype=np.int64)
    segment[clean.row] = clean.segment
    vehicle = owners_of(chunk.inputs.odometer.offsets)
    for row in np.flatnonzero(sources.is_reading()):
        verdict = Verdict(int(clean.verdict[row]))
        yield {
            "vehicle_id": chunk.vehicles[vehicle[row]].id,
            "stream_id": int(sources.stream_id[row]),
            "seq": int(sources.seq[row]),
            "time_ms": int(sources.time_ms[row]),
            "odometer_m": int(chunk.inputs.odometer.odometer_m[row]),
            "clean_m": or_none(clean_m[row]),
            "segment": int(segment[row]),
            "kept": verdict.kept,
            "reason": None if verdict is Verdict.KEPT else verdict.word,
        }


def or_none(value: float) -> float | None:
    """The number, or None where there is none."""
    return float(value) if np.isfinite(value) else None


def day_or_none(value: float) -> dt.date | None:
    """The date that holds a time in days since 1970, or None where there is none."""
    return times.date_of(float(value)) if np.isfinite(value) else None


def odometer_evidence(chunk: Chunk, derived: Derived) -> list[list[Row]]:
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

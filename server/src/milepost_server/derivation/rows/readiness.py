"""From scores in arrays to rows of ``readiness``, with reasons in words and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation.fleet import NOBODY
from milepost_server.derivation.rows.subscription import fits
from milepost_server.derivation.rows.usage import Row, odometer_evidence
from milepost_server.signals.faults.codes import decode
from milepost_server.signals.flat import owners_of
from milepost_server.signals.readiness.explain import told
from milepost_server.signals.value.repairs import WITHIN_D

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.steps.whole import Derived
    from milepost_server.signals.readiness.explain import Told
    from milepost_server.signals.readiness.model import Scorecard


def readiness_rows(
    chunk: Chunk, derived: Derived, model: Scorecard, as_of_d: float, currency: str
) -> Iterator[Row]:
    """Rows of ``readiness``, without dealer, date and version, of the vehicles that somebody owns."""
    found, evidence = derived.readiness, Evidence(chunk, derived, as_of_d)
    reasons = told(model, found.columns, found.scores)
    for place in np.flatnonzero(chunk.owner_id != NOBODY).tolist():
        yield {
            "owner_id": int(chunk.owner_id[place]),
            "vehicle_id": chunk.vehicles[place].id,
            "score": int(found.scores.points[place]),
            "p_90d": float(found.scores.p_90d[place]),
            "p_180d": float(found.scores.p_180d[place]),
            "reasons": [_reason(each, evidence, place) for each in reasons[place]],
            "subscription": fits(chunk, derived.subscription, place, currency),
            "model_version": model.version,
            "is_prior": model.fitted == "prior",
        }


def _reason(reason: Told, evidence: Evidence, place: int) -> Row:
    return {
        "key": reason.reason.key,
        "points": reason.points,
        "words": reason.words,
        "value": reason.value,
        "unit": reason.unit,
        "change": reason.would_change,
        "evidence": evidence.of(place, reason.reason.evidence),
    }


class Evidence:
    """What reasons of a chunk's vehicles rest on, by the kinds that features name."""

    def __init__(self, chunk: Chunk, derived: Derived, as_of_d: float) -> None:
        self._chunk = chunk
        self._odometer = odometer_evidence(chunk, derived)
        self._contracts = chunk.inputs.money.contracts
        self._services = chunk.inputs.services
        faults = derived.health.faults
        active = np.flatnonzero(faults.is_active)
        self._faults = (owners_of(faults.offsets)[active], faults.code[active])
        self._items = _due_soon(derived, as_of_d)

    def of(self, place: int, kinds: Sequence[str]) -> Row:
        """The evidence of one vehicle; kinds without any are left out."""
        makers: dict[str, tuple[str, Callable[[int], list[Any]]]] = {
            "contracts": ("contracts", self._contracts_of),
            "odometer": ("readings", lambda at: self._odometer[at]),
            "service_records": ("service_records", self._services_of),
            "items": ("items", lambda at: self._items.get(at, [])),
            "faults": ("faults", self._faults_of),
        }
        found = {makers[kind][0]: makers[kind][1](place) for kind in kinds if kind in makers}
        return {kind: rows for kind, rows in found.items() if rows}

    def _contracts_of(self, place: int) -> list[int]:
        rows: list[int] = self._chunk.contract_ids[self._contracts.vehicle == place].tolist()
        return rows

    def _services_of(self, place: int) -> list[int]:
        services, since_d = self._services, self._chunk.inputs.money.since_d[place]
        mine = (services.vehicle == place) & (services.done_d >= since_d)  # no visit of a former owner
        rows: list[int] = self._chunk.service_ids[mine].tolist()
        return rows

    def _faults_of(self, place: int) -> list[str]:
        vehicle, code = self._faults
        return [decode(number) for number in code[vehicle == place].tolist()]


def _due_soon(derived: Derived, as_of_d: float) -> dict[int, list[str]]:
    """The items of each vehicle that most likely are due within the time that repairs are counted for."""
    found: dict[int, list[str]] = {}
    for result in derived.items:
        soon = result.due.time_d[1] < as_of_d + WITHIN_D
        for place in result.starts.vehicle[soon].tolist():
            found.setdefault(place, []).append(result.key)
    return found

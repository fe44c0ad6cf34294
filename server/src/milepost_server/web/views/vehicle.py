"""One vehicle as its owner's page shows it: what it needs, its picture, its faults, and what is not known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.store.schema import DueState
from milepost_server.store.work_list import STATE_ORDER, SURE
from milepost_server.web import words
from milepost_server.web.charts import odometer as chart
from milepost_server.web.views import contracts, faults, freshness, health, items, life_cycle, wear
from milepost_server.web.views.owner_question import QuestionView, question_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.api.facts import VehicleFacts
    from milepost_server.store.condition import DueRow, OdometerRow
    from milepost_server.store.item_actions import ItemActionRow
    from milepost_server.store.vehicle_health import FaultRow
    from milepost_server.store.vehicles import VehicleRow
    from milepost_server.web.charts.gauge import Gauge

SERVICES_SHOWN_MAX = 12
# The picture shows at least this much of the past, and twice as much of it as of what is to come.
HISTORY_MIN = dt.timedelta(days=300)


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item, ready to be read."""

    key: str
    title: str
    state: DueState
    badge: items.Badge
    says: str
    why: str
    stands: str
    gauges: Sequence[Gauge]
    handling: life_cycle.Handling | None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to be done: a line is enough."""
        return self.state in (DueState.OK, DueState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One visit: all items that were done on one day, at one odometer."""

    on: dt.date
    titles: Sequence[str]
    odometer_m: float | None
    source: str

    @property
    def what(self) -> str:
        """All of it: ``Engine oil and filter, tyres and cabin air filter``."""
        return words.listed([self.titles[0], *map(items.within, self.titles[1:])])

    @property
    def label(self) -> str:
        """As short as a picture needs it: ``Engine oil and filter + 2``."""
        more = len(self.titles) - 1
        return f"{self.titles[0]} + {more}" if more else self.titles[0]


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One vehicle, ready to be read."""

    vehicle: VehicleRow
    name: str
    as_of: dt.date
    finding: str
    silence: str | None
    heard: str
    odometer: str
    question: QuestionView | None
    items: Sequence[ItemView]
    chart: chart.OdometerChart | None
    faults: Sequence[faults.FaultView]
    health: Sequence[health.HealthView]
    contracts: Sequence[str]
    services: Sequence[ServiceView]
    wrong_car: str  # what is to be said before everything else; empty where the VIN is right
    missing: Sequence[str]  # what was dropped or refused
    rejected: int
    device_id: str | None


def vehicle_name(make: str, model: str, year: int | None) -> str:
    """``Volkswagen Golf, 2019``."""
    return f"{make} {model}, {year}"


def vehicle_view(facts: VehicleFacts, back: str) -> VehicleView:
    """Everything about one vehicle in words and pictures; ``back`` is the page that it stands on."""
    vehicle, as_of = facts.vehicle, facts.as_of
    kept = [reading for reading in facts.readings if reading.kept and reading.clean_m is not None]
    last = kept[-1] if kept else None
    last_on = None if facts.last_word_ms is None else words.day_of_ms(facts.last_word_ms, facts.timezone)
    shown = sorted(facts.items, key=_urgency)
    done = life_cycle.latest_by_item(facts.actions)
    sitting = [place for place in facts.installations if place.end_at is None]
    conflicts = [
        (row.device_id, freshness.vin_sentence(row, vehicle.vin, facts.timezone, as_of))
        for row in facts.vin_conflicts
    ]
    return VehicleView(
        vehicle=vehicle,
        name=vehicle_name(vehicle.make, vehicle.model, vehicle.model_year),
        as_of=as_of,
        finding=finding(shown, facts.faults, as_of),
        silence=freshness.silence(last_on, as_of),
        heard=freshness.heard(last_on, as_of),
        odometer=_odometer(facts, last),
        question=question_view(facts.question, as_of, back),
        items=[_item_view(item, facts, done.get(item.item), back) for item in shown],
        chart=_chart(facts, shown),
        faults=faults.fault_views(facts.faults, facts.timezone, as_of),
        health=health.health_views(facts.health, as_of),
        contracts=contracts.contract_sentences(facts.contracts, as_of),
        services=_visits(facts)[:SERVICES_SHOWN_MAX],
        wrong_car=next(
            (text for device, text in conflicts if sitting and device == sitting[0].device_id), ""
        ),
        missing=[text for _, text in conflicts]
        + [freshness.gap_sentence(gap, facts.timezone, as_of) for gap in facts.gaps]
        + [freshness.refusal_sentence(row, facts.timezone, as_of) for row in facts.refused],
        rejected=len(facts.readings) - len(kept),
        device_id=sitting[0].device_id if sitting else None,
    )


def _odometer(facts: VehicleFacts, last: OdometerRow | None) -> str:
    """The newest odometer that is known, from the car or from a service record; empty where none is."""
    read_on = None if last is None else words.day_of_ms(last.time_ms, facts.timezone)
    noted = max(
        (record for record in facts.records if record.odometer_m is not None),
        key=lambda record: record.done_on,
        default=None,
    )
    if noted is not None and noted.odometer_m is not None and (read_on is None or noted.done_on > read_on):
        on = words.day_near(noted.done_on, facts.as_of)
        return f"{words.km(noted.odometer_m)} at the service on {on}"
    if last is None or last.clean_m is None or read_on is None:
        return ""
    return f"{words.km(last.clean_m)} on {words.day_near(read_on, facts.as_of)}"


def finding(shown: Sequence[DueRow], reported: Sequence[FaultRow], as_of: dt.date) -> str:
    """What the car needs, in one sentence: the answer to the question that the page is opened with."""
    due = [(item, _question(item, as_of)) for item in shown if item.state is DueState.DUE]
    named = {
        "overdue": [item for item in shown if item.state is DueState.OVERDUE],
        "due within 30 days": [item for item, asks in due if not asks],
        "to be looked at": [item for item, asks in due if asks == "Look"],
        "to be asked about": [item for item, asks in due if asks == "Ask"],
    }
    parts = [
        f"{words.listed([items.within(item.title) for item in some])} {state}"
        for state, some in named.items()
        if some
    ]
    fault_words = faults.headline(reported)
    if fault_words:
        parts.append(fault_words)
    if parts:
        return words.sentence("; ".join(parts))
    dated = [item for item in shown if item.p50_on is not None]
    if not dated:
        return "Not known yet what this car needs."
    first = min(dated, key=lambda item: item.p50_on or dt.date.max)
    dates = (first.p10_on, first.p50_on, first.p90_on)
    return f"Nothing is due. Next: {items.within(first.title)}, {items.when(first.state, dates, as_of)}."


def _question(item: DueRow, as_of: dt.date) -> str:
    return items.question(item.state, item.rests_on, item.p50_on, as_of)


def _urgency(item: DueRow) -> tuple[int, bool, dt.date, str]:
    return STATE_ORDER.index(item.state), item.rests_on not in SURE, item.p50_on or dt.date.max, item.title


def _item_view(item: DueRow, facts: VehicleFacts, last: ItemActionRow | None, back: str) -> ItemView:
    wanted = life_cycle.wants_handling(item.state, item.life_cycle)
    return ItemView(
        key=item.item,
        title=item.title,
        state=item.state,
        badge=items.badge(item.state, item.rests_on, item.p50_on, facts.as_of),
        says=items.says(item, facts.as_of, facts.odometer_now_m),
        why=items.why(item),
        stands=life_cycle.stands(item, last, facts.as_of),
        gauges=_gauges(item, facts),
        handling=life_cycle.handling_of(facts.vehicle.id, item.item, item.title, back) if wanted else None,
    )


def _gauges(item: DueRow, facts: VehicleFacts) -> Sequence[Gauge]:
    scheduled = items.item_of(item.item, facts.plan)
    if scheduled is None or item.state is DueState.UNKNOWN:
        return []
    record = next((record for record in facts.records if record.item == item.item), None)
    born = facts.vehicle.first_registered_on
    since = wear.Since(
        as_of=facts.as_of,
        started_on=record.done_on if record else born,
        started_m=record.odometer_m if record else 0.0,
        born_on=born,
        odometer_m=facts.odometer_now_m,
        wear=facts.wear,
    )
    return wear.gauges_of(scheduled, item.basis, item.state, since)


def _visits(facts: VehicleFacts) -> list[ServiceView]:
    titles, order = facts.titles, list(facts.titles)
    visits: dict[tuple[dt.date, int | None, str], list[str]] = {}
    for record in facts.records:
        visits.setdefault((record.done_on, record.odometer_m, record.source), []).append(record.item)
    made = []
    for (on, odometer_m, source), keys in visits.items():
        keys.sort(key=lambda key: order.index(key) if key in titles else len(order))
        made.append(ServiceView(on, [items.title_of(key, titles) for key in keys], odometer_m, source))
    return made


def _chart(facts: VehicleFacts, shown: Sequence[DueRow]) -> chart.OdometerChart | None:
    ahead = max((point.on for point in facts.fan), default=facts.as_of) - facts.as_of
    begin = facts.as_of - max(HISTORY_MIN, 2 * ahead)
    readings = [
        chart.Reading(
            words.day_of_ms(reading.time_ms, facts.timezone),
            reading.odometer_m if reading.clean_m is None else reading.clean_m,
            rejected=not reading.kept,
        )
        for reading in facts.readings
    ]
    kept = [reading for reading in readings if not reading.rejected]
    # A car that has been silent for long shows what there is.
    if kept and kept[-1].on >= begin:
        readings = [reading for reading in readings if reading.on >= begin]
    if not any(not reading.rejected for reading in readings):
        return None
    due = next_by_distance(shown, facts.as_of)
    marks = [
        chart.ServiceMark(visit.on, visit.odometer_m, visit.label)
        for visit in _visits(facts)
        if visit.odometer_m is not None
    ]
    return chart.OdometerChart(
        as_of=facts.as_of,
        readings=readings,
        fan=[chart.FanPoint(point.on, point.p10_m, point.p50_m, point.p90_m) for point in facts.fan],
        services=marks,
        due=due,
        label=chart_title(due, facts.as_of),
    )


def next_by_distance(shown: Sequence[DueRow], as_of: dt.date) -> chart.Due | None:
    """The next item to come, for the picture; one that is overdue is no longer ahead of the fan."""
    coming = [item for item in shown if item.p50_on is not None and item.p50_on > as_of]
    first = min(coming, key=lambda item: item.p50_on or dt.date.max, default=None)
    if first is None or first.p10_on is None or first.p50_on is None or first.p90_on is None:
        return None
    limit_m = first.p50_odometer_m if first.basis in ("distance", "wear") else None
    return chart.Due(first.title, max(first.p10_on, as_of), first.p50_on, first.p90_on, limit_m)


def chart_title(due: chart.Due | None, as_of: dt.date) -> str:
    """What the picture says, as its title."""
    if due is None:
        return "No item has a date ahead of today."
    when = items.when(DueState.UPCOMING, (due.p10_on, due.p50_on, due.p90_on), as_of)
    if due.limit_m is None:
        return f"{due.label}: {when}."
    return f"{due.label}: {when}, at about {words.about_km(due.limit_m)}."

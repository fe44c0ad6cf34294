"""Who is ready to replace a car, why, by which model, and how well the foretold intervals held."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import Day, PathId
from milepost_server.api.lists import PAGE_ITEMS, After, Limit, page_of
from milepost_server.api.services import Forecaster, Parts, Viewer
from milepost_server.errors import NotFoundError
from milepost_server.signals.readiness import priors
from milepost_server.signals.readiness.advice import find
from milepost_server.store import (
    calibrations,
    owners,
    readiness,
    readiness_checks,
    readiness_models,
    sales_list,
)
from milepost_server.store.sales_list import SalesQuery
from milepost_server.store.schema import DueState, Fitted, Urgency

router = APIRouter(tags=["readiness"])
OFFSET_MAX = 1_000_000
Version = Annotated[str, Path(min_length=1, max_length=64)]


class VehicleReadinessAnswer(Answer):
    """How ready an owner is to replace one vehicle; the points of the reasons add up to the score."""

    vehicle_id: int
    as_of: dt.date
    score: int
    p_90d: float
    p_180d: float
    reasons: list[dict[str, Any]]
    subscription: dict[str, Any]
    model_version: str
    is_prior: bool
    config_version: str
    derived_at: dt.datetime


class OwnerSignalsAnswer(Answer):
    """The owner's vehicles taken together; money in minor units."""

    as_of: dt.date
    vehicles: int
    service_vehicle_id: int | None
    service_item: str | None
    service_title: str | None
    service_fault: str | None
    service_state: DueState
    service_urgency: Urgency | None
    sales_vehicle_id: int | None
    score: int | None
    p_90d: float | None
    p_180d: float | None
    value: dict[str, Any]


class OwnerReadinessAnswer(BaseModel):
    """The readiness of one owner on one day; ``signals`` is null before the first derivation."""

    owner_id: int
    as_of: dt.date
    signals: OwnerSignalsAnswer | None
    vehicles: list[VehicleReadinessAnswer]


class SalesAnswer(Answer):
    """One owner, with the car that is likeliest to be replaced; odds are those of any of the owner's cars."""

    owner_id: int
    name: str
    phone: str | None
    email: str | None
    vehicle_id: int
    score: int
    vehicles: int
    p_90d: float
    p_180d: float
    reasons: list[dict[str, Any]]
    is_prior: bool


class ModelAnswer(Answer):
    """One readiness model, without its points; ``dealer_id`` null: fitted on all dealers together."""

    id: int
    dealer_id: int | None
    version: str
    fitted: Fitted
    fitted_on: dt.date
    in_force_on: dt.date
    metrics: dict[str, Any]
    created_at: dt.datetime


class ModelDocumentAnswer(ModelAnswer):
    """One readiness model with its points."""

    document: dict[str, Any]


class ModelCheckAnswer(Answer):
    """Whether one model still fits; a model that did not score that day has no ``vehicles`` and no ``drift``.

    Of ``came``, intercept and slope are null as long as too few outcomes have come.
    """

    as_of: dt.date
    model_version: str
    vehicles: int
    foretold_on: dt.date | None
    drift: list[dict[str, Any]]
    came: dict[str, Any]
    config_version: str
    derived_at: dt.datetime


class ModelChecksAnswer(BaseModel):
    """The newest checks up to a day, what the one of the model in force says, and what to do about it.

    ``model`` is null where published figures score.
    """

    as_of: dt.date
    version: str
    model: ModelAnswer | None
    says: list[str]
    advice: str
    checks: list[ModelCheckAnswer]


class CalibrationAnswer(Answer):
    """How often past intervals of due dates held, by how far ahead they were told."""

    as_of: dt.date
    coverage: list[dict[str, Any]]
    config_version: str
    derived_at: dt.datetime


class CalibrationOrNone(BaseModel):
    """Null before the first full derivation."""

    calibration: CalibrationAnswer | None


@router.get("/owners/{owner_id}/readiness")
async def owner_readiness(
    owner_id: PathId, who: Forecaster, parts: Parts, as_of: Day | None = None
) -> OwnerReadinessAnswer:
    """How ready an owner is to replace a car, with the reasons and what they rest on."""
    day = parts.day(who, as_of)
    async with parts.store.read() as connection:
        if await owners.one(connection, who.dealer_id, owner_id) is None:
            raise NotFoundError("owner", owner_id)
        rows = await readiness.of_owner(connection, who.dealer_id, owner_id, day)
        signals = await readiness.signals_of(connection, who.dealer_id, owner_id, day)
    return OwnerReadinessAnswer(
        owner_id=owner_id,
        as_of=day,
        signals=None if signals is None else OwnerSignalsAnswer.model_validate(signals),
        vehicles=[VehicleReadinessAnswer.model_validate(row) for row in rows],
    )


@router.get("/sales-list")
async def list_sales(
    *,
    who: Forecaster,
    parts: Parts,
    q: Annotated[str, Query(max_length=100)] = "",
    as_of: Day | None = None,
    after: Annotated[int, Query(ge=0, le=OFFSET_MAX, description="How many to pass over.")] = 0,
    limit: Limit = PAGE_ITEMS,
) -> Items[SalesAnswer]:
    """Whom to call about another car, the readiest first; of a past day with `as_of`."""
    query = SalesQuery(as_of=parts.day(who, as_of), search=q)
    async with parts.store.read() as connection:
        rows = await sales_list.page(connection, who.dealer_id, query, offset=after, limit=limit)
    answers = [SalesAnswer.model_validate(row) for row in rows]
    return Items(items=answers, next=after + limit if len(rows) == limit else None)


@router.get("/readiness-models")
async def list_models(
    who: Forecaster, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[ModelAnswer]:
    """The models that may score the dealer's owners, by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await readiness_models.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([ModelAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.get("/readiness-models/{model_version}")
async def one_model(model_version: Version, who: Forecaster, parts: Parts) -> ModelDocumentAnswer:
    """One model with its points."""
    async with parts.store.read() as connection:
        row = await readiness_models.one(connection, who.dealer_id, model_version)
    if row is None:
        raise NotFoundError("readiness model", model_version)
    return ModelDocumentAnswer.model_validate(row)


@router.get("/readiness-checks")
async def model_checks(who: Forecaster, parts: Parts, as_of: Day | None = None) -> ModelChecksAnswer:
    """Whether the models still fit: what came of their odds, and how far the cars have moved since."""
    day = parts.day(who, as_of)
    async with parts.store.read() as connection:
        model = await readiness_models.in_force(connection, who.dealer_id, day)
        rows = await readiness_checks.newest(connection, who.dealer_id, day)
    version = priors.shipped()[0].version if model is None else model.version
    row = next((row for row in rows if row.model_version == version), None)
    finding = find(
        None if row is None else row.came, () if row is None else row.drift, is_learned=model is not None
    )
    return ModelChecksAnswer(
        as_of=day,
        version=version,
        model=None if model is None else ModelAnswer.model_validate(model),
        says=[*finding.held, finding.drift],
        advice=finding.advice,
        checks=[ModelCheckAnswer.model_validate(row) for row in rows],
    )


@router.get("/calibration")
async def calibration(who: Viewer, parts: Parts, as_of: Day | None = None) -> CalibrationOrNone:
    """How often the dealer's past intervals held, as measured up to a day."""
    async with parts.store.read() as connection:
        row = await calibrations.newest(connection, who.dealer_id, parts.day(who, as_of))
    return CalibrationOrNone(calibration=None if row is None else CalibrationAnswer.model_validate(row))

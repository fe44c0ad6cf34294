"""How well what we say has held: intervals of due dates, and readiness models."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from milepost_server.api.services import Parts, Viewer
from milepost_server.people.roles import Action, may
from milepost_server.signals.readiness import priors
from milepost_server.store import calibrations, readiness_checks, readiness_models
from milepost_server.web.pages.past import AskedDay
from milepost_server.web.rendering import render
from milepost_server.web.views import accuracy
from milepost_server.web.views.model_check import came_by_version, model_check_view

MODELS_SHOWN_MAX = 20

router = APIRouter()


@router.get("/accuracy")
async def accuracy_page(request: Request, who: Viewer, parts: Parts, as_of: AskedDay) -> Response:
    """What was promised beside what came; models only for those who may see readiness."""
    today = parts.today(who)
    day = as_of or today
    models = check = None
    async with parts.store.read() as connection:
        calibration = await calibrations.newest(connection, who.dealer_id, day)
        if may(who.role, Action.SEE_READINESS):
            rows = await readiness_models.newest(connection, who.dealer_id, day, limit=MODELS_SHOWN_MAX)
            current = await readiness_models.in_force(connection, who.dealer_id, day)
            checks = await readiness_checks.newest(connection, who.dealer_id, day)
            models = accuracy.model_views(rows, current, came_by_version(checks))
            check = model_check_view(current, priors.shipped()[0].version, checks)
    context = {
        "as_of": day,
        "is_past": day != today,
        "dates": accuracy.dates_view(calibration),
        "check": check,
        "models": models,
    }
    return render(request, "accuracy.html", context)

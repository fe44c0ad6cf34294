"""The owners list and an owner's page."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from milepost_server.api.bodies import PathId
from milepost_server.api.facts import vehicles_of
from milepost_server.api.owners import confirm
from milepost_server.api.services import Confirmer, Parts, Viewer
from milepost_server.derivation import times
from milepost_server.derivation.schedules import titles_of
from milepost_server.errors import NotFoundError
from milepost_server.people.roles import Action, may
from milepost_server.people.sessions import Principal
from milepost_server.store import (
    condition,
    owner_questions,
    owners,
    ownerships,
    readiness,
    vehicle_health,
    work_list,
)
from milepost_server.store.schema import DueState
from milepost_server.store.work_list import Sort
from milepost_server.web.pages.past import AskedDay, doubt_of
from milepost_server.web.pages.vehicle import FIELD_CHARS_MAX, way_back, with_query
from milepost_server.web.rendering import render
from milepost_server.web.views import items, life_cycle, lists, owner_question
from milepost_server.web.views import owners as view
from milepost_server.web.views.readiness import readiness_view
from milepost_server.web.views.subscription import subscription_view
from milepost_server.web.views.vehicle import vehicle_view
from milepost_server.web.views.worth import worth_view

router = APIRouter()

PAGE_MAX = 100_000
SaidText = Annotated[str, Query(max_length=16)]
"""What was just done, for a page to say so: a word that the page knows, or nothing."""


def list_state(
    *,
    state: Annotated[str, Query(max_length=16)] = "",
    item: Annotated[str, Query(max_length=64)] = "",
    q: Annotated[str, Query(max_length=view.SEARCH_CHARS_MAX)] = "",
    ask: Annotated[str, Query(max_length=16)] = "",
    sort: Annotated[str, Query(max_length=16)] = "",
    page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1,
    as_of: AskedDay,
) -> view.ListState:
    """What the URL says; a word that does not exist is as if it were not there, so that old links work.

    Which items there are, only the dealer's schedules know.
    """
    word = sort.removeprefix("-")
    is_known = word in tuple(Sort)
    return view.ListState(
        state=DueState(state) if state in tuple(DueState) else None,
        item=item,
        search=q.strip(),
        asks_for_owner=ask == view.ASK_OWNER,
        sort=Sort(word) if is_known else Sort.URGENCY,
        descending=is_known and sort.startswith("-"),
        page=page,
        as_of=as_of,
    )


def choices_for(who: Principal, *, is_past: bool) -> list[tuple[str, str]]:
    """What a form to act on an item offers; nothing to who may only look, and none on a day gone by."""
    return [] if is_past or not may(who.role, Action.HANDLE_ITEMS) else life_cycle.form_choices()


@router.get("/owners")
async def owners_list(
    request: Request,
    who: Viewer,
    parts: Parts,
    state: Annotated[view.ListState, Depends(list_state)],
    said: SaidText = "",
) -> Response:
    """Whom to call, in what order, and why."""
    today = parts.today(who)
    until_ms = times.AsOf.of(state.as_of or today, who.timezone).end_ms
    async with parts.store.read() as connection:
        titles = await titles_of(connection, who.dealer_id, times.moment(until_ms))
        state = state.among(titles)
        query = state.query(today)
        counts = await work_list.counts(connection, who.dealer_id, query)
        total = sum(counts.values()) if state.state is None else counts[state.state]
        state = replace(state, page=lists.page_among(state.page, total))
        offset = (state.page - 1) * lists.ROWS_A_PAGE
        found = await work_list.page(connection, who.dealer_id, query, offset=offset, limit=lists.ROWS_A_PAGE)
        attention = await work_list.attention(
            connection, who.dealer_id, [row.owner_id for row in found], query.as_of
        )
        cars = [row.vehicle_id for row in found if row.vehicle_id is not None]
        odometers = await condition.latest_odometers(connection, who.dealer_id, cars, until_ms)
        last_words = await condition.last_words(connection, who.dealer_id, cars, until_ms)
        asked = await owner_questions.of_owners(
            connection, who.dealer_id, [row.owner_id for row in found], query.as_of
        )
        owned = await ownerships.cars_of(
            connection, who.dealer_id, [row.owner_id for row in found], query.as_of
        )
        every_car = [car for owner_cars in owned.values() for car in owner_cars]
        faults = await vehicle_health.active_faults(connection, who.dealer_id, every_car, query.as_of)
        following = None if found else await work_list.next_after(connection, who.dealer_id, query.as_of)
        doubt = await doubt_of(connection, who.dealer_id, query.as_of, today)
    rows = view.rows(
        found,
        attention,
        odometers=odometers,
        last_words=last_words,
        faults=view.faults_by_owner(owned, faults),
        asked=asked,
        timezone=who.timezone,
        state=state,
        as_of=query.as_of,
    )
    context = {
        "state": state,
        "as_of": query.as_of,
        "is_past": state.as_of is not None and state.as_of != today,
        "doubt": doubt,
        "headline": "" if doubt and doubt.is_empty else view.headline(counts, titles.get(state.item)),
        "tabs": view.tabs(state, counts),
        "heads": view.heads(state),
        "items": [("", "All items"), *items.choices(titles)],
        "questions": view.QUESTIONS,
        "rows": rows,
        "empty": view.empty_words(state, sum(counts.values()), following, query.as_of),
        "pager": view.pager(state, total),
        "choices": choices_for(who, is_past=state.as_of is not None and state.as_of != today),
        "said": life_cycle.said_words(said),
    }
    return render(request, "owners.html", context)


@router.get("/owners/{owner_id}")
async def owner_page(
    *,
    request: Request,
    owner_id: PathId,
    who: Viewer,
    parts: Parts,
    as_of: AskedDay,
    said: SaidText = "",
) -> Response:
    """What this owner's cars need, when, how sure that is; and how ready the owner is for another one."""
    today = parts.today(who)
    day = as_of or today
    sees_readiness = may(who.role, Action.SEE_READINESS)
    async with parts.store.read() as connection:
        owner = await owners.one(connection, who.dealer_id, owner_id)
        if owner is None:
            raise NotFoundError("owner", owner_id)
        facts = await vehicles_of(connection, who, owner_id, day)
        ready = await readiness.of_owner(connection, who.dealer_id, owner_id, day) if sees_readiness else []
        signals = await readiness.signals_of(connection, who.dealer_id, owner_id, day)
        doubt = await doubt_of(connection, who.dealer_id, day, today)
    titles = {one.vehicle.id: one.titles for one in facts}
    context = {
        "owner": owner,
        "as_of": day,
        "is_past": day != today,
        "doubt": doubt,
        "vehicles": [vehicle_view(one, f"/owners/{owner_id}#vehicle-{one.vehicle.id}") for one in facts],
        "readiness": {
            row.vehicle_id: readiness_view(row, titles.get(row.vehicle_id, {}), day, is_past=day != today)
            for row in ready
        },
        "subscriptions": {
            row.vehicle_id: subscription_view(row.subscription, row.vehicle_id) for row in ready
        },
        "worth": worth_view(signals, day) if signals is not None and sees_readiness else None,
        "choices": choices_for(who, is_past=day != today),
        "may_confirm": day == today and may(who.role, Action.CONFIRM_OWNERS),
        "said": life_cycle.said_words(said) or owner_question.said_words(said),
    }
    return render(request, "owner.html", context)


@router.post("/vehicles/{vehicle_id}/owner")
async def confirm_owner(
    vehicle_id: PathId,
    who: Confirmer,
    parts: Parts,
    back: Annotated[str, Form(max_length=FIELD_CHARS_MAX)] = "",
) -> Response:
    """Say that a car still is its owner's, then go back to where that was asked."""
    owned = await confirm(parts, who, vehicle_id)
    address = way_back(back, f"/owners/{owned.owner_id}")
    return RedirectResponse(with_query(address, urlencode({"said": owner_question.CONFIRMED})), 303)

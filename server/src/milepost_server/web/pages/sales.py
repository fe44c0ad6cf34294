"""The sales list: which owners are ready to replace their car, in what order, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from milepost_server.api.services import Forecaster, Parts
from milepost_server.store import sales_list
from milepost_server.store.sales_list import SalesSort
from milepost_server.web.pages.owners import PAGE_MAX
from milepost_server.web.pages.past import AskedDay, doubt_of
from milepost_server.web.rendering import render
from milepost_server.web.views import lists, readiness
from milepost_server.web.views import sales as view
from milepost_server.web.views.owners import SEARCH_CHARS_MAX

router = APIRouter()


def sales_state(
    *,
    q: Annotated[str, Query(max_length=SEARCH_CHARS_MAX)] = "",
    sort: Annotated[str, Query(max_length=16)] = "",
    page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1,
    as_of: AskedDay,
) -> view.SalesState:
    """What the URL says; a word that does not exist is as if it were not there, so that old links work."""
    word = sort.removeprefix("-")
    is_known = word in tuple(SalesSort)
    return view.SalesState(
        search=q.strip(),
        sort=SalesSort(word) if is_known else SalesSort.READY,
        descending=is_known and sort.startswith("-"),
        page=page,
        as_of=as_of,
    )


@router.get("/sales")
async def sales_page(
    request: Request, who: Forecaster, parts: Parts, state: Annotated[view.SalesState, Depends(sales_state)]
) -> Response:
    """Who is ready for another car, the readiest first."""
    today = parts.today(who)
    query = state.query(today)
    async with parts.store.read() as connection:
        total = await sales_list.count(connection, who.dealer_id, query)
        state = replace(state, page=lists.page_among(state.page, total))
        offset = (state.page - 1) * lists.ROWS_A_PAGE
        found = await sales_list.page(
            connection, who.dealer_id, query, offset=offset, limit=lists.ROWS_A_PAGE
        )
        doubt = await doubt_of(connection, who.dealer_id, query.as_of, today)
    context = {
        "state": state,
        "as_of": query.as_of,
        "is_past": state.as_of is not None and state.as_of != today,
        "doubt": doubt,
        "headline": view.headline(found, total, state),
        "basis": readiness.basis_words(found[0].is_prior) if found else "",
        "heads": view.heads(state),
        "rows": view.row_views(found, state),
        "empty": view.empty_words(state),
        "pager": view.pager(state, total),
    }
    return render(request, "sales.html", context)

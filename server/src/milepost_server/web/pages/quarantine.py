"""The quarantine: payloads that could not be understood, to be seen, replayed or discarded."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from milepost_server.api.bodies import ID_MAX, PathId
from milepost_server.api.quarantine import settle
from milepost_server.api.services import Parts, Services, Warden
from milepost_server.errors import ConflictError, ReplayRefusedError
from milepost_server.people.sessions import Principal
from milepost_server.store import dealer_quarantine, missing
from milepost_server.store.schema import QuarantineState
from milepost_server.web import words
from milepost_server.web.rendering import render
from milepost_server.web.views.lists import Tab

PATH = "/quarantine"
PAYLOADS_A_PAGE = 50
HOMELESS_SHOWN_MAX = 50
STATE_WORDS = MappingProxyType(
    {
        QuarantineState.HELD: "Held",
        QuarantineState.REPLAYED: "Replayed",
        QuarantineState.DISCARDED: "Discarded",
    }
)
REASONS = MappingProxyType(
    {
        "version": "of a later version of the protocol",
        "frame": "does not begin as a batch does",
        "encoding": "cannot be unpacked",
        "body": "does not say what a batch says",
        "limit": "larger than is allowed",
        "topic": "came on a topic that is not its own",
        "unknown-device": "from a device that is not registered",
        "revoked": "from a device that is revoked",
        "mismatch": "of another device than its topic says",
        "conflict": "contradicts what is stored",
    }
)
EMPTY = MappingProxyType(
    {
        QuarantineState.HELD: ["Nothing waits here.", "Every payload of your devices was understood."],
        QuarantineState.REPLAYED: ["Nothing has been replayed yet."],
        QuarantineState.DISCARDED: ["Nothing has been discarded yet."],
    }
)
SAID = MappingProxyType(
    {
        "replay": "The payload was taken in. What it says shows on the owner's page within seconds.",
        "discard": "The payload was discarded. It stays in the list of discarded ones.",
    }
)

router = APIRouter()


@router.get("/quarantine")
async def quarantine_page(
    *,
    request: Request,
    who: Warden,
    parts: Parts,
    state: Annotated[str, Query(max_length=16)] = "",
    before: Annotated[int | None, Query(ge=1, le=ID_MAX)] = None,
    done: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """What waits for a decision."""
    shown = QuarantineState(state) if state in tuple(QuarantineState) else QuarantineState.HELD
    return await _page(request, who, parts, shown, before=before, done=SAID.get(done))


@router.post("/quarantine/{quarantine_id}")
async def settle_payload(
    request: Request,
    quarantine_id: PathId,
    who: Warden,
    parts: Parts,
    action: Annotated[Literal["replay", "discard"], Form()],
) -> Response:
    """Replay or discard a payload; on a refusal the page says why, and the payload stays."""
    try:
        await settle(parts, who, quarantine_id, action)
    except (ReplayRefusedError, ConflictError) as error:
        problem = words.sentence(str(error))
        return await _page(request, who, parts, QuarantineState.HELD, problem=problem, status=409)
    return RedirectResponse(f"{PATH}?done={action}", status_code=303)


async def _page(
    request: Request,
    who: Principal,
    parts: Services,
    shown: QuarantineState,
    *,
    before: int | None = None,
    done: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    async with parts.store.read() as connection:
        counts = await dealer_quarantine.counts(connection, who.dealer_id)
        payloads = await dealer_quarantine.page(
            connection, who.dealer_id, state=shown, before_id=before, limit=PAYLOADS_A_PAGE
        )
        homeless = await missing.homeless_devices(connection, who.dealer_id, HOMELESS_SHOWN_MAX)
    held = counts[QuarantineState.HELD]
    is_full = len(payloads) == PAYLOADS_A_PAGE
    context = {
        "headline": words.sentence(f"{words.count(held, 'payload waits', 'payloads wait')} for a decision"),
        "tabs": [
            Tab(STATE_WORDS[one], counts[one], f"{PATH}?state={one.value}", one is shown)
            for one in QuarantineState
        ],
        "payloads": payloads,
        "is_held": shown is QuarantineState.HELD,
        "older": f"{PATH}?state={shown.value}&before={payloads[-1].id}" if is_full else "",
        "reasons": REASONS,
        "empty": EMPTY[shown],
        "homeless": homeless,
        "problem": problem,
        "done": done,
    }
    return render(request, "quarantine.html", context, status=status)

"""docs/operate.md: every body there is taken, in its order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from milepost_server.store.schema import Role
from support import showroom
from support.garage import NOW
from support.sites import Clock, Site, application

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operate.md").read_text()
BODIES = re.findall(r"^    post (\S+) '(\{.*?\})'", PAGE, re.MULTILINE | re.DOTALL)


async def test_every_body_is_taken(store: Store) -> None:
    assert len(BODIES) > 7
    async with store.write() as connection:
        dealer_id = await showroom.add_dealer(connection, "North", {showroom.MANAGER: Role.MANAGER})
    clock = Clock(NOW)
    site = Site(application(store, clock), store, clock, dealer_id)
    async with site.client(showroom.MANAGER) as client:
        for path, body in BODIES:
            answer = await client.post(f"/api/v1/{path}", json=json.loads(body))
            assert answer.status_code in (200, 201), (path, answer.text)

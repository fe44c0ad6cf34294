"""docs/operate.md: every body there is taken, in its order, and what it says to look at is called so."""

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

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text()
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


def test_headings_that_it_names_are_shown() -> None:
    sources = [path for path in (ROOT / "server" / "src").rglob("*") if path.suffix in (".py", ".html")]
    shown = "\n".join(path.read_text() for path in sources).lower()
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", " ".join(PAGE.split())))
    assert "How well it holds" in named
    assert {name for name in named if name.lower() not in shown} == set()

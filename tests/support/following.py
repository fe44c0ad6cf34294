"""Lets derivation follow what people do on pages, as the server's runner does within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation

if TYPE_CHECKING:
    from support.sites import Site

VEHICLES_MAX = 100


async def follow(site: Site) -> None:
    """Derive all vehicles that have something new."""
    await Derivation(site.store, Configuration(), now=site.clock.now).dirty(VEHICLES_MAX)

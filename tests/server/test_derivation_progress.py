"""How far a derivation has come is told step by step, to the last one."""

from __future__ import annotations

import pytest

from milepost_server.derivation import dealer_run
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation
from milepost_server.store.engine import Store
from support.garage import NOW, TODAY, open_garage


async def test_a_full_derivation_tells_of_each_chunk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealer_run, "CHUNK_VEHICLES_MAX", 2)
    garage = await open_garage(store)
    for _ in range(5):
        await garage.drive(await garage.car(), km_per_month=1_500)
    steps: list[tuple[int, int]] = []
    derivation = Derivation(
        store, Configuration(), now=NOW, tell=lambda done, total: steps.append((done, total))
    )
    report = await derivation.dealer(garage.dealer, TODAY)
    assert report.vehicles == 5
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)], "learning, and three chunks of vehicles"

"""Keeps due items current while the server runs: new readings within seconds, new days at their beginning."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milepost_server.derivation import keeping
from milepost_server.derivation.dealer_files import configuration_of
from milepost_server.derivation.derive import Derivation, Report
from milepost_server.derivation.learning import priors
from milepost_server.derivation.times import AsOf
from milepost_server.store import dealers

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.signals.faults.texts import FaultTexts
    from milepost_server.store.engine import Store

DIRTY_VEHICLES_MAX = 500
"""Dirty vehicles that one turn takes; the rest are taken by the next one, which follows at once."""

BREATH_S = 1.0
"""Least pause between turns, so that steady ingest does not keep the database busy with derivations."""


class DerivationRunner:
    """One loop; ``now`` is the clock. ``total`` counts what was done since it was made."""

    def __init__(
        self,
        store: Store,
        config: Configuration,
        *,
        now: Callable[[], dt.datetime],
        interval_s: float,
        texts: FaultTexts | None = None,
    ) -> None:
        self._store = store
        self._config = config
        self._now = now
        self._interval_s = interval_s
        self._texts = texts
        self._woken = asyncio.Event()
        self.total = Report()

    def wake(self) -> None:
        """Something was committed: do not wait for the interval to pass, just for a breath."""
        self._woken.set()

    async def run(self) -> None:
        """Derive until cancelled; an error of the store ends it, and is the caller's to handle."""
        while True:
            self._woken.clear()
            done = await self.turn()
            if done.vehicles < DIRTY_VEHICLES_MAX:
                await self._pause()

    async def turn(self) -> Report:
        """One turn: dealers whose day has begun or fleet has grown, then a bounded number of vehicles."""
        now = self._now()
        derivation = Derivation(self._store, self._config, now=now, texts=self._texts)
        done = Report()
        async with self._store.read() as connection:
            known = await dealers.every(connection)
        for dealer in known:
            date = AsOf.at(now, dealer.timezone).date
            async with self._store.read() as connection:
                config = await configuration_of(connection, dealer.id, self._config)
                current = await priors.are_current(connection, dealer.id, date, config)
            if not current:
                done += await derivation.dealer(dealer, date)
                async with self._store.write() as connection:
                    await keeping.drop_old(connection, dealer.id, date)
        done += await derivation.dirty(DIRTY_VEHICLES_MAX)
        self.total += done
        return done

    async def _pause(self) -> None:
        await asyncio.sleep(min(BREATH_S, self._interval_s))
        try:
            await asyncio.wait_for(self._woken.wait(), self._interval_s)
        except TimeoutError:
            return

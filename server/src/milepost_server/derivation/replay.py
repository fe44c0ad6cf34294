"""Makes the list of a past day again, as it was: from what was stored by then, by the dealer's files of then.

Today's states rest on those of the day before (`signals.items.states`), so the days are played from one on
which everything is known: the last one before whose list is still kept as it was made, else the first day of
all. Every day in between is derived as it was then; nothing of it is written but the list that was asked for.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_server.derivation import writing
from milepost_server.derivation.carried import Carried
from milepost_server.derivation.dealer_files import configuration_of
from milepost_server.derivation.dealer_run import DealerRun, Report
from milepost_server.derivation.learning import knowledge
from milepost_server.derivation.loading import before as load_before
from milepost_server.derivation.progress import Progress, Tell, silent
from milepost_server.derivation.times import AsOf, moment
from milepost_server.signals.faults.texts import FaultTexts
from milepost_server.store import calibrations, derived_days
from milepost_server.store.derived_days import DerivedDay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.learning.knowledge import Knowledge
    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.engine import Store

WARM_UP_DAYS = 60
"""Days that are played before one of which there never was a list: states then rest on little before them."""
_NOTHING = Carried({})


class Basis(enum.Enum):
    """What a replayed list is."""

    AS_IT_WAS = enum.auto()
    """The one that was made on the day."""
    NONE_THAT_DAY = enum.auto()
    """None was made on the day, but before: of what was stored by its end."""
    NONE_BY_THEN = enum.auto()
    """None had been made by then: of what is stored today."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to."""

    date: dt.date
    report: Report
    basis: Basis = Basis.AS_IT_WAS
    is_kept: bool = False  # the list is there as it was made: nothing was to be done
    days: int = 0  # so many were played, the date among them
    played_from: dt.date | None = None
    days_by_other_rules: int = 0  # had been derived by another version of the rules


@dataclass(frozen=True, slots=True)
class _Day:
    """One day to be played."""

    run: DealerRun
    learn: DealerRun | None  # the full derivation whose knowledge held; None: there was none yet
    learned_at: dt.datetime | None  # when it was made; None: never, it is only made for the replay
    config_version: str | None  # by which the day was derived; None: it was not


def _basis(derived: Sequence[DerivedDay], date: dt.date) -> Basis:
    if not derived:
        return Basis.NONE_BY_THEN
    return Basis.AS_IT_WAS if derived[-1].as_of == date else Basis.NONE_THAT_DAY


class Replay:
    """Replays past days of dealers; ``tell`` is called with the steps that are done, and that there are."""

    def __init__(
        self,
        store: Store,
        config: Configuration,
        *,
        now: dt.datetime,
        texts: FaultTexts | None = None,
        tell: Tell = silent,
    ) -> None:
        self._store = store
        self._config = config
        self._now = now
        self._texts = texts or FaultTexts()
        self._tell = tell

    async def day(self, dealer: DealerRow, date: dt.date) -> Replayed:
        """Put the list of a past day in place of what is there, unless that is as it was made then."""
        async with self._store.read() as connection:
            derived = await derived_days.up_to(connection, dealer.id, date)
            anchor = await derived_days.newest_kept(connection, dealer.id, derived)
        if anchor == date:
            return Replayed(date, Report(), is_kept=True)
        days = await self._days(dealer, date, derived, anchor)
        return Replayed(
            date,
            await self._play(dealer, days, anchor),
            basis=_basis(derived, date),
            days=len(days),
            played_from=days[0].run.as_of.date,
            days_by_other_rules=sum(day.config_version not in (None, day.run.config.version) for day in days),
        )

    async def _days(
        self, dealer: DealerRow, date: dt.date, derived: Sequence[DerivedDay], anchor: dt.date | None
    ) -> list[_Day]:
        """The days to be played, rising, the last one is ``date``."""
        if not derived:
            # Nothing was known then; what is known today says what the list would have been.
            learn = await self._run(dealer, date, None)
            before = [date - dt.timedelta(days=n) for n in range(WARM_UP_DAYS, 0, -1)]
            runs = [await self._run(dealer, day, None) for day in before]
            return [_Day(run, learn, None, None) for run in (*runs, learn)]
        days, full = [], None
        for day in derived:
            full = day if day.learned_at is not None else full
            if anchor is None or day.as_of > anchor:
                days.append(await self._day(dealer, day, full))
        if derived[-1].as_of < date:
            end = moment(AsOf.of(date, dealer.timezone).end_ms)
            run = await self._run(dealer, date, end)
            days.append(_Day(run, run, None, None))
        return days

    async def _day(self, dealer: DealerRow, day: DerivedDay, full: DerivedDay | None) -> _Day:
        run = await self._run(dealer, day.as_of, day.derived_at)
        if full is None:
            return _Day(run, None, None, day.config_version)
        learn = await self._run(dealer, full.as_of, full.learned_at)
        return _Day(run, learn, full.learned_at, day.config_version)

    async def _run(self, dealer: DealerRow, date: dt.date, known_by: dt.datetime | None) -> DealerRun:
        async with self._store.read() as connection:
            config = await configuration_of(connection, dealer.id, self._config, known_by)
        as_of = replace(AsOf.of(date, dealer.timezone), known_by=known_by)
        stamp = writing.Stamp(dealer.id, date, config.version, self._now)
        return DealerRun(self._store, config, as_of, stamp, self._texts, dealer.currency)

    async def _play(self, dealer: DealerRow, days: Sequence[_Day], anchor: dt.date | None) -> Report:
        last = days[-1].run
        vehicles = [ids async for ids in last.all_ids()]
        owners = [ids async for ids in last.all_owner_ids()]
        progress = Progress(self._tell, len(days) * (len(vehicles) + 1) + len(owners))
        learned = await self._learned(dealer, days, progress)
        async with self._store.write() as connection:
            await writing.clear(connection, dealer.id, last.as_of.date)
        report = Report()
        for ids in vehicles:
            carried = await self._left_on(dealer, ids, anchor)
            for day, known in zip(days[:-1], learned[:-1], strict=True):
                carried = await day.run.carry(ids, known, carried)
                progress.step()
            report += await last.chunk(ids, learned[-1], carried)
            progress.step()
        for ids in owners:
            await last.owners(ids, learned[-1])
            progress.step()
        if days[-1].learn is not None and days[-1].learn.as_of.date == last.as_of.date:
            async with self._store.write() as connection:
                date, known = last.as_of.date, learned[-1]
                await knowledge.save(connection, dealer.id, date, known, last.config, now=self._now)
        return report

    async def _left_on(self, dealer: DealerRow, ids: Sequence[int], anchor: dt.date | None) -> Carried:
        if anchor is None:
            return _NOTHING
        async with self._store.read() as connection:
            return await load_before.left_on(connection, dealer.id, ids, anchor)

    async def _learned(self, dealer: DealerRow, days: Sequence[_Day], progress: Progress) -> list[Knowledge]:
        """What was known of the fleet on each day."""
        found: list[Knowledge] = []
        used: AsOf | None = None
        for day in days:
            uses = None if day.learn is None else day.learn.as_of
            is_same = bool(found) and uses == used
            found.append(found[-1] if is_same else await self._knowledge(dealer, day))
            used = uses
            progress.step()
        date = days[-1].run.as_of.date
        async with self._store.read() as connection:
            model = await knowledge.model_of(connection, dealer.id, date)
        return [*found[:-1], replace(found[-1], model=model)]

    async def _knowledge(self, dealer: DealerRow, day: _Day) -> Knowledge:
        """What a full derivation had learned: as it is kept, or learned again from what was stored then."""
        if day.learn is None:
            return knowledge.nothing()
        date = day.learn.as_of.date
        async with self._store.read() as connection:
            kept = await calibrations.newest(connection, dealer.id, date)
            if kept is not None and (kept.as_of, kept.derived_at) == (date, day.learned_at):
                return await knowledge.newest(connection, dealer.id, date)
        return await day.learn.learn()

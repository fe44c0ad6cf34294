"""What devices say of themselves, on both databases: what is kept, what is refused, who is told again."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from milepost_protocol import topics
from milepost_protocol.device_documents import Farewell, Refusal, Reported
from milepost_protocol.limits import DOCUMENT_BYTES_MAX
from milepost_server.ingest.arrivals import Arrival
from milepost_server.ingest.keeper import Keeper
from milepost_server.store import device_configs, device_facts, devices
from milepost_server.store.device_configs import REVISIONS_KEPT_MAX
from milepost_server.store.engine import open_store
from support.batches import DEVICE
from support.registry import OTHER_VIN, register
from support.said import NEXT_RUN, RUN, birth, reported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_server.store.device_facts import DeviceFacts
    from milepost_server.store.engine import Store

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Desk:
    """A keeper, and all that came of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fates: Counter[str] = Counter()
        self.told: list[tuple[str, int]] = []
        self.keeper = Keeper(store, self._tell, lambda fate: self.fates.update([fate]))
        self._second = 0

    async def _tell(self, device_id: str, document: bytes) -> bool:
        self.told.append((device_id, json.loads(document)["revision"]))
        return True

    def arrival(self, said: Any, topic: str | None = None) -> Arrival:
        """What a device published, a second after the one before."""
        self._second += 1
        payload = said if isinstance(said, bytes) else said.payload()
        if topic is None:
            place = topics.reported if isinstance(said, Reported) else topics.state
            topic = place(said.device)
        return Arrival(topic, payload, NOW + dt.timedelta(seconds=self._second))

    async def hear(self, *said: Any) -> None:
        """Take in what was published, one group."""
        await self.keeper.take([one if isinstance(one, Arrival) else self.arrival(one) for one in said])

    async def facts(self, dealer_id: int, device_id: str = DEVICE) -> DeviceFacts:
        """What is known of a device."""
        async with self.store.read() as connection:
            return await device_facts.of(connection, dealer_id, device_id)

    async def desire(self, dealer_id: int, device_id: str = DEVICE) -> int:
        """Desire something."""
        async with self.store.write() as connection:
            row = await device_configs.add(
                connection,
                dealer_id,
                device_id,
                document=lambda revision: json.dumps({"version": 1, "revision": revision}),
                now=NOW,
            )
        return row.revision


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


@pytest.fixture
async def light_desk(newest_sqlite_url: str) -> AsyncIterator[Desk]:
    """On SQLite alone: for what does not depend on the database."""
    store = open_store(newest_sqlite_url)
    yield Desk(store)
    await store.close()


async def test_the_last_that_a_device_said_is_kept(desk: Desk) -> None:
    known = await register(desk.store)
    assert (await desk.facts(known.dealer_id)).state is None
    await desk.hear(birth(), reported(), Farewell(DEVICE, RUN, 1, "sleep"))
    state = (await desk.facts(known.dealer_id)).state
    assert state is not None
    assert (state.online, state.reason, state.since) == (False, "sleep", NOW + dt.timedelta(seconds=3))
    assert state.birth == json.loads(birth().payload())
    assert state.reported == json.loads(reported().payload())
    await desk.hear(birth(NEXT_RUN))
    state = (await desk.facts(known.dealer_id)).state
    assert state is not None
    assert (state.online, state.reason, state.run) == (True, None, NEXT_RUN)
    assert desk.fates == {"kept": 4}


async def test_what_comes_late_or_again_changes_nothing(light_desk: Desk) -> None:
    known = await register(light_desk.store)
    await light_desk.hear(birth(), birth(connection=2))
    await light_desk.hear(Farewell(DEVICE, RUN, 1), birth(connection=2), birth(connection=1))
    state = (await light_desk.facts(known.dealer_id)).state
    assert state is not None
    assert (state.online, state.connection, state.since) == (True, 2, NOW + dt.timedelta(seconds=1))
    await light_desk.hear(Farewell(DEVICE, RUN, 2, "stop"), Farewell(DEVICE, RUN, 2), birth(connection=2))
    state = (await light_desk.facts(known.dealer_id)).state
    assert state is not None
    assert (state.online, state.reason) == (False, "stop")
    assert light_desk.fates == {"kept": 3, "unchanged": 5}


async def test_an_end_of_which_no_birth_is_known_is_kept(light_desk: Desk) -> None:
    known = await register(light_desk.store)
    await light_desk.hear(Farewell(DEVICE, RUN, 7))
    facts = await light_desk.facts(known.dealer_id)
    assert facts.state is not None
    assert (facts.state.online, facts.state.birth) == (False, None)


async def test_what_cannot_be_read_is_counted_and_changes_nothing(light_desk: Desk) -> None:
    known = await register(light_desk.store)
    await light_desk.hear(birth())
    own, other = topics.state(DEVICE), topics.state("somebody")
    later = json.loads(birth().payload()) | {"version": 2}
    await light_desk.hear(
        light_desk.arrival(b"", own),
        light_desk.arrival(b"\xff\x00", own),
        light_desk.arrival(b"[" * 9000, own),
        light_desk.arrival(json.dumps(later).encode(), own),
        light_desk.arrival(birth().payload(), other),
        light_desk.arrival(birth().payload(), topics.config(DEVICE)),
        light_desk.arrival(birth().payload(), topics.reported(DEVICE)),
        light_desk.arrival(birth().payload(), "milepost/v1/state"),
    )
    await light_desk.hear(birth(device="somebody"), Farewell("somebody", RUN, 1))
    light_desk.keeper.put(light_desk.arrival(b"x" * (DOCUMENT_BYTES_MAX + 1), own))
    state = (await light_desk.facts(known.dealer_id)).state
    assert state is not None
    assert state.birth == json.loads(birth().payload())
    assert light_desk.fates == {
        "kept": 1,
        "refused-document": 7,
        "refused-topic": 1,
        "unknown": 2,
        "refused-length": 1,
    }


async def test_a_revoked_device_says_nothing_any_more(light_desk: Desk) -> None:
    known = await register(light_desk.store)
    async with light_desk.store.write() as connection:
        await devices.revoke(connection, known.dealer_id, DEVICE, now=NOW)
    await light_desk.hear(birth())
    assert (await light_desk.facts(known.dealer_id)).state is None
    assert light_desk.fates == {"unknown": 1}


async def test_what_does_not_fit_is_dropped_and_counted_and_the_rest_is_kept(light_desk: Desk) -> None:
    known = await register(light_desk.store)
    light_desk.keeper.put(light_desk.arrival(birth()))
    light_desk.keeper.close()
    light_desk.keeper.put(light_desk.arrival(birth(connection=2)))
    await light_desk.keeper.run()
    state = (await light_desk.facts(known.dealer_id)).state
    assert state is not None
    assert state.connection == 1
    assert light_desk.fates == {"kept": 1, "dropped": 1}


async def test_a_device_that_lags_behind_is_told_until_it_has_answered(desk: Desk) -> None:
    known = await register(desk.store)
    assert await desk.desire(known.dealer_id) == 1
    assert (await desk.facts(known.dealer_id)).lags
    await desk.hear(birth())
    assert desk.told == [(DEVICE, 1)]
    await desk.hear(birth(NEXT_RUN, revision=1))
    assert desk.told == [(DEVICE, 1)]
    facts = await desk.facts(known.dealer_id)
    assert (facts.revision, facts.lags) == (1, False)
    assert await desk.desire(known.dealer_id) == 2
    await desk.hear(birth(NEXT_RUN, connection=2, revision=1), Farewell(DEVICE, NEXT_RUN, 2))
    assert desk.told == [(DEVICE, 1)], "it has gone again"
    await desk.hear(birth(NEXT_RUN, connection=3, revision=1))
    assert desk.told == [(DEVICE, 1), (DEVICE, 2)]
    await desk.hear(reported(1, Refusal(2, "uplink.host: cannot be set from afar")))
    await desk.hear(birth(NEXT_RUN, connection=4, revision=1))
    assert desk.told == [(DEVICE, 1), (DEVICE, 2)]
    assert not (await desk.facts(known.dealer_id)).lags


async def test_dealers_do_not_see_each_others_devices(light_desk: Desk) -> None:
    one = await register(light_desk.store, "gw-1")
    two = await register(light_desk.store, "gw-2", OTHER_VIN)
    await light_desk.desire(two.dealer_id, "gw-2")
    await light_desk.hear(birth(device="gw-1"), birth(device="gw-2"))
    assert light_desk.told == [("gw-2", 1)]
    assert (await light_desk.facts(one.dealer_id, "gw-1")).desired is None
    with pytest.raises(Exception, match="no device 'gw-2'"):
        await light_desk.facts(one.dealer_id, "gw-2")


async def test_old_revisions_are_forgotten(desk: Desk) -> None:
    known = await register(desk.store)
    for number in range(1, REVISIONS_KEPT_MAX + 4):
        assert await desk.desire(known.dealer_id) == number
    async with desk.store.read() as connection:
        newest = await device_configs.newest_of(connection, [DEVICE])
        assert newest[DEVICE].revision == number
        mine = device_configs.device_configs.c.dealer_id == known.dealer_id
        rows = await connection.execute(device_configs.device_configs.select().where(mine))
        assert len(rows.all()) == REVISIONS_KEPT_MAX

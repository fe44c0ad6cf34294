"""Queries on all that is known of one device: is it there, what is in force, what is desired of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from milepost_server.store import device_configs, device_states, devices
from milepost_server.store.schema import streams

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.device_configs import ConfigRow
    from milepost_server.store.device_states import StateRow
    from milepost_server.store.devices import DeviceRow


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """``state`` None while it has said nothing, ``desired`` None where nothing is desired of it.

    ``last_batch_at`` is when a batch last brought something new, None before the first.
    """

    device: DeviceRow
    state: StateRow | None
    desired: ConfigRow | None
    last_batch_at: dt.datetime | None

    @property
    def revision(self) -> int | None:
        """Of the desired configuration that it says is in force."""
        return _revision(self.state) if self.state else None

    @property
    def lags(self) -> bool:
        """Whether it has neither taken nor refused what is desired of it."""
        return self.desired is not None and not has_answered(self.state, self.desired)


def has_answered(state: StateRow | None, desired: ConfigRow) -> bool:
    """Whether a device has taken or refused what is desired of it."""
    if state is None:
        return False
    refused = (state.reported or {}).get("refused") or {}
    return desired.revision in (_revision(state), refused.get("revision"))


def _revision(state: StateRow) -> int | None:
    """The revision in force by the newer of the two documents that tell it."""
    documents = [(state.birth_at, state.birth), (state.reported_at, state.reported)]
    said = [(at, document) for at, document in documents if at is not None and document is not None]
    if not said:
        return None
    revision = max(said, key=lambda row: row[0])[1].get("revision")
    return revision if isinstance(revision, int) else None


async def of(connection: AsyncConnection, dealer_id: int, device_id: str) -> DeviceFacts:
    """What is known of the dealer's device.

    Raises:
        NotFoundError: the dealer has none with this id.
    """
    heard = select(func.max(streams.c.received_at)).where(
        streams.c.dealer_id == dealer_id, streams.c.device_id == device_id
    )
    return DeviceFacts(
        await devices.one(connection, dealer_id, device_id),
        await device_states.one(connection, dealer_id, device_id),
        await device_configs.newest(connection, dealer_id, device_id),
        (await connection.execute(heard)).scalar_one_or_none(),
    )

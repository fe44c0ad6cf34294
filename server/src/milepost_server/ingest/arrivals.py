"""What arrives, and the first look at it: whose it is and whether it can be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_protocol import topics
from milepost_protocol.codec import decode_batch
from milepost_protocol.errors import FrameError, ProtocolError, TopicError
from milepost_protocol.frame import read_header

if TYPE_CHECKING:
    import datetime as dt

    from milepost_protocol.batch import Batch
    from milepost_protocol.frame import Header

DETAIL_CHARACTERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One payload as it came from the broker."""

    topic: str
    payload: bytes
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a payload goes to quarantine: a stable word, and a sentence for people."""

    reason: str
    detail: str

    @classmethod
    def of(cls, error: ProtocolError) -> Trouble:
        """The trouble that the protocol's own error tells of."""
        return cls(error.reason, printable(str(error)))


@dataclass(frozen=True, slots=True)
class Opened:
    """An arrival after the first look: ``batch`` or ``trouble``, and ``header`` where it is readable."""

    arrival: Arrival
    device_id: str | None
    header: Header | None = None
    batch: Batch | None = None
    trouble: Trouble | None = None


def open_arrival(arrival: Arrival) -> Opened:
    """Read topic, header and body; whatever cannot be read becomes the trouble, nothing is raised."""
    try:
        device_id, channel = topics.split(arrival.topic)
        if channel is not topics.Channel.UP:
            raise TopicError(f"topic {arrival.topic!r} carries no batches")
    except TopicError as error:
        return Opened(arrival, None, trouble=Trouble.of(error))
    try:
        header = read_header(arrival.payload)
    except FrameError as error:
        return Opened(arrival, device_id, trouble=Trouble.of(error))
    try:
        batch = decode_batch(arrival.payload)
    except ProtocolError as error:
        return Opened(arrival, device_id, header, trouble=Trouble.of(error))
    if batch.device != device_id:
        detail = (
            f"the batch says that it is of device {batch.device!r}, it came on the topic of {device_id!r}"
        )
        return Opened(arrival, device_id, header, trouble=Trouble("device", detail))
    return Opened(arrival, device_id, header, batch)


def printable(text: str) -> str:
    """``text`` as every database takes it: no NUL, no lone surrogates, not endless."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return clean[:DETAIL_CHARACTERS_MAX]

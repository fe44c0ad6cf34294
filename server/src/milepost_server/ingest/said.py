"""What devices say of themselves: read, and judged whether it is news. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_protocol import topics
from milepost_protocol.device_schema import (
    WireBirth,
    WireFarewell,
    WireReported,
    read_reported,
    read_state,
)
from milepost_protocol.errors import DocumentError, ProtocolError
from milepost_protocol.topics import Channel
from milepost_server.store.device_states import StateRow

if TYPE_CHECKING:
    from milepost_server.ingest.arrivals import Arrival

    Document = WireBirth | WireFarewell | WireReported

NO_RUN = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One document, as it came."""

    device_id: str
    document: Document
    arrival: Arrival


def read(arrival: Arrival) -> Said:
    """Read a state or reported document.

    Raises:
        TopicError, DocumentError: it is none, or names another device than its topic.
    """
    device_id, channel = topics.split(arrival.topic)
    if channel not in (Channel.STATE, Channel.REPORTED):
        raise DocumentError("", f"{channel} carries no document of a device")
    document = read_state(arrival.payload) if channel is Channel.STATE else read_reported(arrival.payload)
    if document.device != device_id:
        raise DocumentError("device", f"is {document.device!r}, on the topic of {device_id!r}")
    return Said(device_id, document, arrival)


def reason_of(error: ProtocolError) -> str:
    """The word by which a refusal is counted."""
    return f"refused-{error.reason}"


def after(known: StateRow | None, said: Said) -> StateRow | None:
    """What is known once ``said`` is taken in; None where it is no news, or older than what is known.

    The end of a connection is final, and says nothing about a later one of the same run: the broker may
    publish a last will after the birth that came next.
    """
    at, document = said.arrival.received_at, said.document
    if isinstance(document, WireReported):
        before = known or StateRow(NO_RUN, 0, False, at, None, None, None, None, None)
        reported = json.loads(said.arrival.payload)
        return None if reported == before.reported else replace(before, reported=reported, reported_at=at)
    if known and known.run == document.run:
        is_older = document.connection < known.connection
        is_over = document.connection == known.connection and not known.online
        if is_older or is_over:
            return None
    before = known or StateRow(NO_RUN, 0, not document.online, at, None, None, None, None, None)
    row = replace(before, run=document.run, connection=document.connection, online=document.online)
    if before.run == NO_RUN or before.online is not document.online or before.run != document.run:
        row = replace(row, since=at)
    if isinstance(document, WireFarewell):
        return replace(row, reason=document.reason)
    birth = json.loads(said.arrival.payload)
    row = replace(row, reason=None, birth=birth, birth_at=at)
    return None if birth == before.birth and before.online else row

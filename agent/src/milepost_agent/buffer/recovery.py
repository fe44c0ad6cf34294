"""Where file and server disagree on how far an epoch went: who has gone back, and what is lost by that.

Each works within the store's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_agent.buffer.streams import Stream
from milepost_protocol.samples import GapReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.buffer.spans import Spans
    from milepost_agent.buffer.streams import Streams


def go_back(spans: Spans, streams: Streams, stream: Stream, seq: int, reason: GapReason) -> None:
    """The server has ``stream`` up to ``seq`` only: what the file no longer has of the rest is a gap."""
    held = next(spans.covering(stream.ordinal, 1), None)
    until = held.first if held else stream.next_seq
    spans.insert_lost(stream.ordinal, seq + 1, until, reason)
    streams.save(stream._replace(receipted=seq))


def renew(spans: Spans, streams: Streams, epoch: str) -> None:
    """Put a stream of a new ``epoch`` in the place of the current one; its first span gets seq 1."""
    old, state = streams.current, streams.state()
    held = next(spans.covering(old.ordinal, 1), None)
    base = held.first - 1 if held else old.next_seq - 1
    spans.move(old.ordinal, base, old.ordinal)
    streams.delete(old)
    streams.insert(Stream(old.ordinal, epoch, old.next_seq - base, 0), state)


def lacking(streams: Streams, known: Iterable[Stream]) -> list[Stream]:
    """Those of the ``known`` streams of which the file lacks something that waits."""
    return [row for row in known if _lacks(streams.rows.get(row.epoch), row)]


def _lacks(found: Stream | None, row: Stream) -> bool:
    if found is None:
        return row.waiting > 0
    # Only a salvage that lost the stream's row takes its first span for all that waits.
    return found.next_seq < row.next_seq or found.receipted > row.receipted


def tell_lost(spans: Spans, streams: Streams, row: Stream) -> None:
    """Tell as lost what the file lacks of ``row``, a stream as it was known."""
    found = streams.rows.get(row.epoch)
    if found is None:
        lost = row._replace(ordinal=_place_for(spans, streams, row.ordinal))
        spans.insert_lost(lost.ordinal, lost.receipted + 1, lost.next_seq)
        streams.insert(lost, None)
        return
    if found.receipted > row.receipted:
        go_back(spans, streams, found, row.receipted, GapReason.CORRUPT)
        found = streams.rows[row.epoch]
    if found.next_seq < row.next_seq:
        spans.insert_lost(found.ordinal, found.next_seq, row.next_seq)
        streams.save(found._replace(next_seq=row.next_seq))


def _place_for(spans: Spans, streams: Streams, ordinal: int) -> int:
    """An ordinal before the current stream's: this one if it is free there."""
    current = streams.current.ordinal
    if ordinal < current and all(stream.ordinal != ordinal for stream in streams.rows.values()):
        return ordinal
    spans.move(current, 0, current + 1)
    streams.renumber(current + 1)
    return current

"""What a stop leaves beside the buffer: how far its streams went, so that an older file put there is noticed.

Without it an older copy would give seqs out again, and what it lacks would be lost unsaid. The next opening
takes it away: after a kill it would name streams that have ended since, as if they were lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from milepost_agent.buffer.schema import ORDINAL_MAX, SEQ_MAX
from milepost_agent.buffer.streams import Stream
from milepost_protocol.errors import ProtocolError
from milepost_protocol.identity import check_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from milepost_agent.buffer.files import Files


def note(path: Path) -> Path:
    """Where it lies."""
    return path.with_name(f"{path.name}.known")


def leave(files: Files, path: Path, device: str, streams: Sequence[Stream]) -> None:
    """Note how far ``streams`` of the buffer at ``path`` went.

    Raises:
        OSError: the disk refuses.
    """
    files.write_text(note(path), json.dumps({"device": device, "streams": streams}))


def find(files: Files, path: Path, device: str) -> list[Stream]:
    """The streams of ``device`` as they were noted; none where the note is missing, or makes no sense.

    Raises:
        OSError: the disk refuses.
    """
    text = files.read_text(note(path))
    if text is None:
        return []
    try:
        content = json.loads(text)
        return [_stream(row) for row in content["streams"]] if content["device"] == device else []
    except (ValueError, KeyError, TypeError, ProtocolError):
        return []


def forget(files: Files, path: Path) -> None:
    """Take the note away for good, before the file goes on beyond it.

    Raises:
        OSError: the disk refuses.
    """
    if files.exists(note(path)):
        files.remove(note(path))
        files.sync_folder(path)


def _stream(row: Any) -> Stream:
    stream = Stream(*row)
    check_epoch(stream.epoch)
    is_sound = 0 < stream.ordinal <= ORDINAL_MAX and 0 <= stream.receipted < stream.next_seq <= SEQ_MAX
    if not is_sound:
        raise ValueError(f"no stream: {row}")
    return stream

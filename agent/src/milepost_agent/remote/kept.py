"""The last good desired configuration, kept beside the buffer: it holds from each start on, link or not."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_protocol.desired import read_desired
from milepost_protocol.errors import DocumentError
from milepost_protocol.limits import DOCUMENT_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_agent.buffer.files import Files
    from milepost_protocol.desired import Desired

SET_ASIDE_MAX: Final = 8
"""Damaged documents that are kept for people to look at; the last one gives way to another."""
CHECKSUM_CHARACTERS: Final = 9
FILE_BYTES_MAX: Final = 4 * DOCUMENT_BYTES_MAX
"""What is longer was not written here, and could be longer than the memory."""


class Found(NamedTuple):
    """What was kept: ``desired`` None with ``trouble`` "" where there is nothing."""

    desired: Desired | None
    trouble: str


class Kept:
    """The document of the agent whose buffer is at ``buffer``.

    Its first line is a checksum of the second, which is the document.
    """

    def __init__(self, files: Files, buffer: Path) -> None:
        self._files = files
        self._path = buffer.with_name(f"{buffer.name}.desired")
        self._aside = f"{self._path.name}.corrupt-"

    def load(self) -> Found:
        """Read it. One that is damaged is set aside; a disk that does not read it is no damage."""
        try:
            payload = self._payload()
            return Found(None if payload is None else read_desired(payload), "")
        except OSError as error:
            return Found(None, f"{self._path} cannot be read: {error.strerror or error}")
        except DocumentError as error:
            return Found(None, self.set_aside(f"cannot be used: {error}"))
        except ValueError as error:
            return Found(None, self.set_aside(f"is damaged: {error}"))

    def _payload(self) -> bytes | None:
        """The document, None where there is none; ValueError where it is damaged."""
        stamp = self._files.stamp(self._path)
        if stamp is not None and stamp[0] > FILE_BYTES_MAX:
            raise ValueError(f"it has {stamp[0]} bytes")
        text = self._files.read_text(self._path)
        if text is None:
            return None
        checksum, payload = text[:CHECKSUM_CHARACTERS], text[CHECKSUM_CHARACTERS:]
        if checksum != _checksum(payload):
            raise ValueError("its checksum is wrong")
        return payload.encode()

    def save(self, payload: bytes) -> None:
        """Keep ``payload``, which ``read_desired`` has read; when this returns it survives a power cut.

        Raises:
            OSError: the disk refuses; what was kept before is still there.
        """
        text = json.dumps(json.loads(payload), separators=(",", ":"))
        self._files.make_folder(self._path.parent)
        self._files.write_text(self._path, _checksum(text) + text)

    def set_aside(self, why: str) -> str:
        """Give the document another name; returns what happened, for people."""
        try:
            number = min(self.set_aside_count() + 1, SET_ASIDE_MAX)
            to = self._path.with_name(f"{self._aside}{number}")
            self._files.rename(self._path, to)
            self._files.sync_folder(self._path)
        except OSError as error:
            return f"{self._path} {why}; it cannot be set aside: {error.strerror or error}"
        return f"{self._path} {why}; it was set aside as {to.name}"

    def set_aside_count(self) -> int:
        """Damaged documents that lie there.

        Raises:
            OSError: the disk refuses.
        """
        return len(self._files.beside(self._path, self._aside))


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}\n"

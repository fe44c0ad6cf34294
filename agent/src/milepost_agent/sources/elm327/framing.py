"""The byte stream of an adapter, cut at its prompts. Pure: how the bytes came split does not matter."""

from __future__ import annotations

from typing import Final, NamedTuple

PROMPT: Final = ord(">")
REPLY_BYTES_MAX: Final = 16_384
"""The longest ISO-TP message (4,095 bytes) takes 12 KB as text; what comes beyond is dropped and told."""


class RawReply(NamedTuple):
    """The text before one prompt; ``truncated`` where it was longer than ``REPLY_BYTES_MAX``."""

    text: str
    truncated: bool


class ReplyReader:
    """Collects bytes until the prompt."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._truncated = False

    def feed(self, data: bytes) -> list[RawReply]:
        """The replies that end within ``data``."""
        *ended, rest = data.split(b">")
        replies = []
        for part in ended:
            self._add(part)
            replies.append(RawReply(self._bytes.decode("ascii", errors="replace"), self._truncated))
            self.clear()
        self._add(rest)
        return replies

    def clear(self) -> None:
        """Forget what came since the last prompt."""
        self._bytes.clear()
        self._truncated = False

    def _add(self, part: bytes) -> None:
        # An ELM327 may put a zero byte into its stream at any place; its data sheet says to ignore it.
        part = part.replace(b"\0", b"")
        room = REPLY_BYTES_MAX - len(self._bytes)
        self._truncated = self._truncated or len(part) > room
        self._bytes += part[:room]

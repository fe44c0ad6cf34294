"""Messages that repeat: the first is said, the others are counted, the count is said now and then. Pure."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES_MAX: Final = 64
"""So many different messages are remembered; of more, the one that was silent longest is given up."""
KEY_CHARACTERS_MAX: Final = 160
LAST_CHARACTERS_MAX: Final = 1024
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


class Held(NamedTuple):
    """In the last ``for_s`` seconds messages like ``message`` came ``times`` times, and were not said."""

    message: str
    level: int
    times: int
    for_s: float


@dataclass(slots=True)
class _Entry:
    said_s: float
    level: int
    last: str = ""
    held: int = 0


class Repeats:
    """Tells which messages to say.

    Messages are the same when they differ in numbers only: a pause, a count or a port does not make news.

    Args:
        pause_s: so long a message is not said again; 0: say all.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._given_up: list[Held] = []

    def offer(self, message: str, level: int, now_s: float) -> bool:
        """Whether to say ``message``; otherwise it is counted. ``due`` should be asked after each offer."""
        if self._pause_s <= 0:
            return True
        key = _NUMBER.sub("#", message[:KEY_CHARACTERS_MAX])
        entry = self._entries.get(key)
        if entry is not None and (entry.held or now_s - entry.said_s < self._pause_s):
            self._entries.move_to_end(key)
            entry.held += 1
            entry.last, entry.level = message[:LAST_CHARACTERS_MAX], max(entry.level, level)
            return False
        self._entries[key] = _Entry(now_s, level)
        if len(self._entries) > MESSAGES_MAX:
            _, oldest = self._entries.popitem(last=False)
            self._given_up += _told(oldest, now_s)
        return True

    def due(self, now_s: float) -> Iterator[Held]:
        """The counts that are due; a message that did not come again in its pause is forgotten."""
        yield from self._given_up
        self._given_up.clear()
        for key, entry in list(self._entries.items()):
            if now_s - entry.said_s < self._pause_s:
                continue
            if not entry.held:
                del self._entries[key]
                continue
            yield from _told(entry, now_s)
            entry.said_s, entry.held = now_s, 0

    def finish(self, now_s: float) -> Iterator[Held]:
        """All counts, at the end."""
        yield from self._given_up
        for entry in self._entries.values():
            yield from _told(entry, now_s)
        self._entries.clear()
        self._given_up.clear()


def _told(entry: _Entry, now_s: float) -> Iterator[Held]:
    if entry.held:
        yield Held(entry.last, entry.level, entry.held, now_s - entry.said_s)

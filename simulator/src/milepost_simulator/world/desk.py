"""The server's desk for configuration: what it desires of the device, and what the device says holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Settings = Mapping[str, Mapping[str, Any]]

UNREADABLE: Final = b'{"version": 1, "revision'


class Desk:
    """Holds the device to what it reports: a configuration is taken whole or refused, and kept from then on.

    Args:
        violate: notes a broken promise.
        forgives: whether the disk has refused to read or write, so that an older configuration may hold.
    """

    def __init__(self, violate: Callable[[str], None], forgives: Callable[[], bool]) -> None:
        self._violate = violate
        self._forgives = forgives
        self._desired: dict[int, Settings] = {}
        self._last: int | None = None
        self._is_answered = True
        self._is_unreadable_refused = False
        self._in_force = 0

    def write(self, settings: Settings | None) -> bytes:
        """The next document, with ``settings``; None: one that nobody can read."""
        if settings is None:
            # What is refused as it was before is no news, and is not told again.
            self._last, self._is_answered = None, self._is_unreadable_refused
            return UNREADABLE
        self._is_answered = False
        self._last = len(self._desired) + 1
        self._desired[self._last] = settings
        return json.dumps({"version": 1, "revision": self._last, "settings": settings}).encode()

    def hear(self, payload: bytes) -> None:
        """What the device reports."""
        told = json.loads(payload)
        revision, refused = told["revision"] or 0, told["refused"]
        if revision and told["settings"] != self._desired[revision]:
            self._violate(f"revision {revision} is {self._desired[revision]}, in force is {told['settings']}")
        if revision < self._in_force and not self._forgives():
            self._violate(f"revision {self._in_force} was in force, now it is {revision}")
        self._in_force = revision
        self._is_unreadable_refused = refused is not None and refused["revision"] is None
        self._is_answered |= revision == self._last or (
            refused is not None and refused["revision"] == self._last
        )

    def open_question(self) -> str:
        """What the device has not answered, "" where it has."""
        return "" if self._is_answered else f"configuration {self._last or '(unreadable)'} is not answered"

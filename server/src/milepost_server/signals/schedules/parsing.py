"""Reads schedule files; what is wrong with one is said with its item and field."""

from __future__ import annotations

import tomllib
from typing import Any, TypeVar

from pydantic import ValidationError

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.items.item import Table
from milepost_server.signals.schedules.documents import Layer, Schedule

FILE_BYTES_MAX = 256 * 1024

_Document = TypeVar("_Document", bound=Table)


def parse_schedule(text: str, name: str) -> Schedule:
    """Read a generic schedule; ``name`` is what errors call it.

    Raises:
        ScheduleError: no TOML, an unknown key, a hole or an overlap in the ages, an item without a limit.
    """
    return _validated(Schedule, _document(text, name), name)


def parse_layer(text: str, name: str) -> Layer:
    """Read what a maker's file or a dealer's own says differently.

    Raises:
        ScheduleError: as `parse_schedule`, and where it fits no car or says nothing.
    """
    return _validated(Layer, _document(text, name), name)


def _document(text: str, name: str) -> dict[str, Any]:
    if len(text.encode()) > FILE_BYTES_MAX:
        raise ScheduleError(name, f"is longer than {FILE_BYTES_MAX} bytes")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScheduleError(name, f"is no TOML: {error}") from None


def _validated(kind: type[_Document], document: dict[str, Any], name: str) -> _Document:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ScheduleError(name, _first_problem(error, document)) from None


def _first_problem(error: ValidationError, document: dict[str, Any]) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    place = problems[0]["loc"]
    words = [str(part) for part in place]
    items = document.get("item")
    if len(place) > 1 and place[0] == "item" and isinstance(items, list) and isinstance(place[1], int):
        entry = items[place[1]]
        words[0:2] = [f"item {entry.get('key', place[1] + 1) if isinstance(entry, dict) else place[1] + 1}"]
    message = problems[0]["msg"].removeprefix("Value error, ")
    if problems[0]["type"] == "extra_forbidden":
        message = "is not a key that schedules have; look for a typo"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{', '.join(words) or 'the file'}: {message}{more}"

"""The schedules that come with the product."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from milepost_server.signals.schedules.book import ScheduleBook
from milepost_server.signals.schedules.documents import Layer, Schedule
from milepost_server.signals.schedules.parsing import parse_layer, parse_schedule


@cache
def shipped() -> dict[str, Schedule]:
    """The generic schedules, by powertrain."""
    schedules = (parse_schedule(text, name) for name, text in _files("generic"))
    return {schedule.powertrain: schedule for schedule in schedules}


@cache
def shipped_book() -> ScheduleBook:
    """The generic schedules with those of single makes on top; a dealer's own go over them."""
    layers: dict[str, Layer] = {name: parse_layer(text, name) for name, text in _files("makers")}
    return ScheduleBook(tuple(shipped().values()), layers)


@cache
def shipped_version() -> str:
    """A short name of the shipped schedules' content; part of the configuration version."""
    digest = hashlib.sha256()
    for folder in ("generic", "makers"):
        for name, text in _files(folder):
            digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:8]


@cache
def _files(folder: str) -> tuple[tuple[str, str], ...]:
    entries = (resources.files(__package__) / folder).iterdir()
    found = sorted((entry for entry in entries if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return tuple((entry.name, entry.read_text(encoding="utf-8")) for entry in found)

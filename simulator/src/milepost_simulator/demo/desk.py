"""The dealer's desk in the demo: what staff have begun, and what the server says of owners."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_simulator.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_simulator.demo.rest import Rest

WANTS_ATTENTION = ("overdue", "due")
BOOKED_IN_D, SNOOZED_FOR_D = 3, 14


@dataclass(frozen=True, slots=True)
class Scored:
    """An owner's vehicle as the server scores it."""

    owner_id: int
    score: int
    is_prior: bool
    reasons: tuple[tuple[str, int], ...]
    """Words and points."""

    @property
    def adds_up(self) -> bool:
        """Whether the points of the reasons are those of the score."""
        return sum(points for _, points in self.reasons) == self.score


async def begin_work(rest: Rest, vehicle_ids: Iterable[int], today: dt.date) -> int:
    """Book, note, put off and close one item each that is due or overdue, where there are so many.

    Gives how many there were.
    """
    waiting = [
        (vehicle_id, item["item"])
        for state in WANTS_ATTENTION
        for vehicle_id in vehicle_ids
        for item in (await rest.get(f"/vehicles/{vehicle_id}"))["items"]
        if item["state"] == state
    ]
    for (vehicle_id, item), action in zip(waiting, _actions(today), strict=False):
        await rest.post(f"/vehicles/{vehicle_id}/items/{item}/actions", action)
    return min(len(waiting), len(_actions(today)))


def _actions(today: dt.date) -> list[dict[str, object]]:
    booked_on = (today + dt.timedelta(days=BOOKED_IN_D)).isoformat()
    until = (today + dt.timedelta(days=SNOOZED_FOR_D)).isoformat()
    return [
        {"action": "booked", "for_on": booked_on, "note": "Drops the car off at eight."},
        {"action": "acknowledged", "note": "Left a message; calls back."},
        {"action": "snoozed", "until_on": until, "note": "On holiday until then."},
        {"action": "done", "note": "Done in passing; the record follows."},
    ]


async def scores(rest: Rest, owner_ids: Iterable[int]) -> list[Scored]:
    """The likeliest vehicle of each owner, the highest score first.

    Raises:
        DemoError: an owner has none, or a score is not the sum of its reasons.
    """
    found = []
    for owner_id in owner_ids:
        vehicles = (await rest.get(f"/owners/{owner_id}/readiness"))["vehicles"]
        if not vehicles:
            raise DemoError(f"owner {owner_id} has no readiness")
        found.append(_scored(owner_id, max(vehicles, key=lambda vehicle: int(vehicle["score"]))))
    wrong = [one.owner_id for one in found if not one.adds_up]
    if wrong:
        raise DemoError(f"the reasons of owners {wrong} do not add up to their scores")
    return sorted(found, key=lambda one: (-one.score, one.owner_id))


def _scored(owner_id: int, answer: Mapping[str, Any]) -> Scored:
    reasons = tuple((reason["words"], reason["points"]) for reason in answer["reasons"])
    return Scored(owner_id, answer["score"], answer["is_prior"], reasons)


async def promises_kept(rest: Rest) -> str:
    """How often past intervals of due dates held, in words."""
    calibration = (await rest.get("/calibration"))["calibration"]
    rows = calibration["coverage"] if calibration else []
    told = sum(row["n"] for row in rows)
    if not told:
        return "no interval of a due date has run out yet"
    held = sum(row["n"] * row["covered"] for row in rows)
    return f"of {told:,} past intervals of due dates, {held / told:.0%} held"

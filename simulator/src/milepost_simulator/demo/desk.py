"""The dealer's desk in the demo: what staff have begun, and what the server says of owners."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from milepost_simulator.demo.rest import BULK_MAX
from milepost_simulator.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_simulator.demo.rest import Rest

WANTS_ATTENTION = ("overdue", "due")
BOOKED_IN_D, SNOOZED_FOR_D = 3, 14
NOT_OF_A_CAR = ("base", "scale")
"""Reasons that every score has: what all start with, and the ends of the scale."""


class Reason(NamedTuple):
    """One reason of a score."""

    key: str
    words: str
    points: int


@dataclass(frozen=True, slots=True)
class Scored:
    """An owner, and the vehicle that is likeliest to be replaced, as the server scores it.

    Attributes:
        owner_id: the server's id.
        score: of that vehicle.
        is_prior: whether the points are published figures.
        reasons: what the score is made of.
    """

    owner_id: int
    score: int
    is_prior: bool
    reasons: tuple[Reason, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the points of the reasons are those of the score."""
        return sum(reason.points for reason in self.reasons) == self.score

    @property
    def first_reason(self) -> Reason | None:
        """What speaks most for another car; None where nothing does."""
        found = [reason for reason in self.reasons if reason.key not in NOT_OF_A_CAR and reason.points > 0]
        return max(found, key=lambda reason: reason.points, default=None)


async def begin_work(rest: Rest, today: dt.date) -> int:
    """Book, note, put off and close the first item of one owner each, of those who are due or overdue.

    Gives how many there were.
    """
    listed = (await rest.get("/work-list"))["items"]
    waiting = [need for need in listed if need["state"] in WANTS_ATTENTION and need["item"] is not None]
    actions = _actions(today)
    for need, action in zip(waiting, actions, strict=False):
        await rest.post(f"/vehicles/{need['vehicle_id']}/items/{need['item']}/actions", action)
    return min(len(waiting), len(actions))


def _actions(today: dt.date) -> list[dict[str, object]]:
    booked_on = (today + dt.timedelta(days=BOOKED_IN_D)).isoformat()
    until = (today + dt.timedelta(days=SNOOZED_FOR_D)).isoformat()
    return [
        {"action": "booked", "for_on": booked_on, "note": "Drops the car off at eight."},
        {"action": "acknowledged", "note": "Left a message; calls back."},
        {"action": "snoozed", "until_on": until, "note": "On holiday until then."},
        {"action": "done", "note": "Done in passing; the record follows."},
    ]


async def scores(rest: Rest) -> list[Scored]:
    """All owners in the order of the sales list, the likeliest to replace a car first.

    Raises:
        DemoError: an owner has no score, or a score is not the sum of its reasons.
    """
    listed = (await rest.get(f"/sales-list?limit={BULK_MAX}"))["items"]
    found = [_scored(await rest.get(f"/owners/{row['owner_id']}/readiness")) for row in listed]
    wrong = [one.owner_id for one in found if not one.adds_up]
    if wrong:
        raise DemoError(f"the reasons of owners {wrong} do not add up to their scores")
    return found


def _scored(answer: Mapping[str, Any]) -> Scored:
    signals, owner_id = answer["signals"], answer["owner_id"]
    likeliest = None if signals is None else signals["sales_vehicle_id"]
    for vehicle in answer["vehicles"]:
        if vehicle["vehicle_id"] == likeliest:
            reasons = tuple(Reason(one["key"], one["words"], one["points"]) for one in vehicle["reasons"])
            return Scored(owner_id, vehicle["score"], vehicle["is_prior"], reasons)
    raise DemoError(f"owner {owner_id} has no score")

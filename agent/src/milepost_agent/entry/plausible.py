"""May the odometer show what a person entered? Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost_agent.derive.distance import Belief

KM_PER_MILE: Final = 1.609344
SIGMAS: Final = 3.0
SLACK_M: Final = 2_000.0
"""Instruments show whole kilometres or miles, and control units count on their own."""
UNSEEN_M_MAX: Final = 50_000_000.0
"""What a car may have driven without the agent: some years."""


def doubt(entered_m: float, known: Belief | None, *, is_past: bool) -> str:
    """Why ``entered_m`` cannot be what the instrument shows, given what is ``known``; "" where it may be.

    A reading of the past (``is_past``) may be lower by any amount, but not higher.
    """
    if known is None:
        return ""
    slack_m = SIGMAS * known.sigma_m + SLACK_M
    beyond_m = entered_m - known.odometer_m
    if abs(beyond_m) <= slack_m or (is_past and beyond_m < 0):
        return ""
    shown = f"{known.odometer_m / 1000:,.0f} km"
    who = f"the car itself reports {shown}" if known.is_cars_own else f"it should show {shown} by now"
    if unit := _mistaken_unit(entered_m, known.odometer_m, slack_m):
        return f"{who}; was this {unit}?"
    if known.is_cars_own or beyond_m < 0 or beyond_m > UNSEEN_M_MAX or is_past:
        return who
    return ""


def _mistaken_unit(entered_m: float, known_m: float, slack_m: float) -> str:
    """The unit that was meant, if the entry is right in that one."""
    if abs(entered_m * KM_PER_MILE - known_m) <= slack_m:
        return "in miles"
    if abs(entered_m / KM_PER_MILE - known_m) <= slack_m:
        return "in kilometres, and taken for miles"
    return ""

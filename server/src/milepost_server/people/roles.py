"""What each role of a dealer's staff may do, as one table."""

from __future__ import annotations

import enum
from types import MappingProxyType

from milepost_server.people.errors import NotAllowedError
from milepost_server.store.schema import Role


class Action(enum.StrEnum):
    """What can be asked for; the value completes the sentence "may not ..."."""

    SEE_OWNERS = "see owners"
    REGISTER = "register owners, vehicles and devices"
    RECORD_SERVICE = "record a service"
    HANDLE_ITEMS = "say what becomes of an item that is due, or whether a reading counts"
    CONFIRM_OWNERS = "say whether a car still is its owner's"
    SET_SCHEDULES = "set service schedules"
    SET_PLANS = "set subscription plans"
    SEE_READINESS = "see who is ready to replace a car"
    RECORD_DEALS = "record contracts and outcomes"
    HANDLE_QUARANTINE = "handle the quarantine"


ROLE_MAY = MappingProxyType(
    {
        Role.SERVICE: frozenset(
            {
                Action.SEE_OWNERS,
                Action.RECORD_SERVICE,
                Action.HANDLE_ITEMS,
                Action.CONFIRM_OWNERS,
                Action.SET_SCHEDULES,
                Action.HANDLE_QUARANTINE,
            }
        ),
        Role.SALES: frozenset(
            {
                Action.SEE_OWNERS,
                Action.CONFIRM_OWNERS,
                Action.SET_PLANS,
                Action.SEE_READINESS,
                Action.RECORD_DEALS,
            }
        ),
        Role.MARKETING: frozenset({Action.SEE_OWNERS, Action.SEE_READINESS}),
        Role.MANAGER: frozenset(Action),
    }
)


def may(role: Role, action: Action) -> bool:
    """Whether ``role`` may do ``action``."""
    return action in ROLE_MAY[role]


def check_may(role: Role, action: Action) -> None:
    """Pass when ``role`` may do ``action``.

    Raises:
        NotAllowedError: it may not.
    """
    if not may(role, action):
        raise NotAllowedError(role.value, action.value)

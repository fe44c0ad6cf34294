"""What an owner is worth to the dealer over time, in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from milepost_server.web import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.store.readiness import OwnerSignalsRow

LEDGER_WORDS = MappingProxyType(
    {"sale": "cars", "lease": "leases", "service": "services", "subscription": "subscriptions"}
)


@dataclass(frozen=True, slots=True)
class WorthView:
    """The ledger so far, and what is expected; sentences are empty where that is not known."""

    so_far: str
    expected: str

    @property
    def says_something(self) -> bool:
        return bool(self.so_far or self.expected)


def worth_view(signals: OwnerSignalsRow, as_of: dt.date) -> WorthView:
    """The owner's roll-up, ready to be read."""
    value = signals.value
    unit = value.get("currency", "")
    ledger = [
        f"{words.money(amount, unit)} for {LEDGER_WORDS.get(kind, kind)}"
        for kind, amount in value.get("ledger", {}).items()
        if amount
    ]
    return WorthView(
        so_far=words.sentence(f"so far: {words.listed(ledger)}") if ledger else "",
        expected=_expected(value, unit, as_of),
    )


def _expected(value: Mapping[str, Any], unit: str, as_of: dt.date) -> str:
    if not value.get("expected"):
        return ""
    low, middle, high = (words.money(amount, unit) for amount in value["expected"])
    until_on = value.get("until_on")
    until = f" until {words.day_near(dt.date.fromisoformat(until_on), as_of)}" if until_on else ""
    return words.sentence(
        f"expected{until}: most likely {middle}, in 80 of 100 cases between {low} and {high}"
    )

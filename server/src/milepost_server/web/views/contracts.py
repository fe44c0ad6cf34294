"""Contracts in words: what binds the owner to the car, until when, and for how many kilometres."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.store.schema import ContractKind
from milepost_server.web import words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from milepost_server.store.contracts import ContractRow

KIND_WORDS = MappingProxyType(
    {
        ContractKind.LEASE: "Lease",
        ContractKind.FINANCE: "Finance",
        ContractKind.WARRANTY: "Warranty",
        ContractKind.SUBSCRIPTION: "Subscription",
    }
)


def contract_sentences(rows: Sequence[ContractRow], as_of: dt.date) -> list[str]:
    """One sentence a contract; those that are over come last, for what rests on them."""
    return [_sentence(row, as_of) for row in sorted(rows, key=lambda row: _is_over(row, as_of))]


def _is_over(row: ContractRow, as_of: dt.date) -> bool:
    return row.end_on is not None and row.end_on <= as_of


def _sentence(row: ContractRow, as_of: dt.date) -> str:
    said = f"{KIND_WORDS[row.kind]} since {words.day_near(row.start_on, as_of)}"
    ends = []
    if row.end_on is not None:
        ends.append(f"until {words.day_near(row.end_on, as_of)}")
    if row.end_odometer_m is not None:
        ends.append(f"until {words.km(row.end_odometer_m)}")
    said += f", {' or '.join(ends)}" if ends else ""
    if row.allowance_m is not None:
        said += f", for {words.km(row.allowance_m)} in all"
    if row.payment_per_month is not None:
        said += f", {words.money(row.payment_per_month, row.currency)} a month"
    return words.sentence(f"{said}; it is over" if _is_over(row, as_of) else said)

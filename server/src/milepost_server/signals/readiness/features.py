"""The closed list of what a readiness model may ask: about a car, its contract and its services.

No other column can be configured in: not age, gender or income of a person, not a place, not the time of a
trip, nor anything that nobody has thought about yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from milepost_server.signals.readiness.errors import FeatureError
from milepost_server.signals.readiness.persons import kept_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a model; NaN is what is not known."""

    name: str
    words: str
    unit: str
    kind: Literal["amount", "flag"]
    direction: int  # +1: readiness never falls as the value rises; -1: it never rises; 0: as outcomes say
    evidence: tuple[str, ...]  # kinds of records that it rests on, for opening them
    said: Callable[[float], str]  # a value as people say it
    unknown: str  # what is said where it is not known
    would_change: str  # what people could do to change its points; empty: nothing
    per_month: float = 0.0  # how it moves by itself in a month in which nothing happens


def _counted(value: float, one: str, many: str) -> str:
    whole = round(abs(value))
    return f"1 {one}" if whole == 1 else f"{whole:,} {many}" if whole else f"no {one}"


def _months(value: float) -> str:
    return _counted(value, "month", "months")


def _percent(value: float) -> str:
    return f"{abs(value) * 100:,.0f} %"


def _until(what: str) -> Callable[[float], str]:
    def said(value: float) -> str:
        if round(value) == 0:
            return f"{what} ends this month"
        return f"{what} ends in {_months(value)}" if value > 0 else f"{what} ended {_months(value)} ago"

    return said


def _usage(value: float) -> str:
    # A log ratio: 0.1 and -0.1 are as far from no change as each other.
    if abs(value) < 0.1:
        return "drives about as much as before"
    times = 2.718281828459045 ** abs(value) - 1
    if value > 0:
        return f"drives {_percent(times)} more than before"
    return f"drives {_percent(1 - 1 / (1 + times))} less than before"


def _owned(value: float) -> str:
    if round(value) == 0:
        return "owned for as long as is usual"
    return f"owned {_months(value)} {'longer' if value > 0 else 'shorter'} than is usual"


def _serviced(value: float) -> str:
    return f"last service here {_months(value)} ago" if round(value) else "last service here this month"


def _excess(value: float) -> str:
    if round(value, 1) == 0:
        return "no fee for excess kilometres is to be expected at the end"
    return f"excess kilometres would cost {value:,.1f} monthly payments at the end"


def _equity(value: float) -> str:
    if value == 1:
        return "nothing is owed on the car"
    side = "above" if value >= 0 else "below"
    return f"worth {_percent(value)} of its value {side} what is still owed"


def _flag(yes: str, no: str) -> Callable[[float], str]:
    return lambda value: yes if value else no


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            "months_to_contract_end",
            "months to the end of lease or finance",
            "months",
            "amount",
            0,
            ("contracts",),
            _until("the contract"),
            "no contract is known",
            "a renewed or an extended contract",
            per_month=-1.0,
        ),
        Feature(
            "is_lease",
            "lease",
            "",
            "flag",
            0,
            ("contracts",),
            _flag("it is a lease", "it is no lease"),
            "no contract is known",
            "another kind of contract",
        ),
        Feature(
            "excess_fee_share",
            "fee for projected excess kilometres, in monthly payments",
            "payments",
            "amount",
            +1,
            ("contracts", "odometer"),
            _excess,
            "no allowance is known",
            "fewer kilometres until the end, or a larger allowance",
        ),
        Feature(
            "months_to_warranty_end",
            "months to the end of the warranty, by date or kilometres",
            "months",
            "amount",
            -1,
            ("contracts", "odometer"),
            _until("the warranty"),
            "no warranty is known",
            "an extended warranty",
            per_month=-1.0,
        ),
        Feature(
            "repair_burden_share",
            "work due within six months, as a share of the car's value",
            "share",
            "amount",
            +1,
            ("items", "faults", "value"),
            lambda value: f"work due within six months would cost {_percent(value)} of the car's value",
            "what is due, or the car's value, is not known",
            "the work being done, or another estimate of its cost",
        ),
        Feature(
            "recurring_faults",
            "faults that came back within a year",
            "faults",
            "amount",
            +1,
            ("faults",),
            lambda value: f"{_counted(value, 'fault', 'faults')} came back within a year",
            "the car does not report faults",
            "a repair after which the faults stay away",
        ),
        Feature(
            "usage_change",
            "change of distance driven, three months against the year before",
            "log ratio",
            "amount",
            0,
            ("odometer",),
            _usage,
            "too few odometer readings to compare",
            "driving as before",
        ),
        Feature(
            "months_since_service",
            "months since the last service here",
            "months",
            "amount",
            0,
            ("service_records",),
            _serviced,
            "no service here is known",
            "a visit to the workshop",
            per_month=1.0,
        ),
        Feature(
            "services_2y",
            "services here within two years",
            "services",
            "amount",
            +1,
            ("service_records",),
            lambda value: f"{_counted(value, 'service', 'services')} here within two years",
            "no service history is known",
            "visits to the workshop, or none for long",
        ),
        Feature(
            "months_owned_over_usual",
            "months owned, beyond what is usual",
            "months",
            "amount",
            +1,
            ("ownership",),
            _owned,
            "the beginning of the ownership is not known",
            "",
            per_month=1.0,
        ),
        Feature(
            "equity_share",
            "value of the car above what is owed, as a share of the value",
            "share",
            "amount",
            +1,
            ("value", "contracts"),
            _equity,
            "the value, or what is owed, is not known",
            "another estimate of the value, or a paid-off contract",
        ),
        Feature(
            "age_months",
            "age of the car",
            "months",
            "amount",
            0,
            ("vehicle",),
            lambda value: f"the car is {_months(value) if round(value) else 'less than a month'} old",
            "the age of the car is not known",
            "",
            per_month=1.0,
        ),
        Feature(
            "bought_new",
            "bought new",
            "",
            "flag",
            0,
            ("ownership",),
            _flag("bought new", "bought used"),
            "whether it was bought new is not known",
            "",
        ),
    )
}
"""By name, in the order in which they are told."""


def check(names: Iterable[str]) -> tuple[Feature, ...]:
    """The features of these names.

    Raises:
        FeatureError: a name that is not on the list; says why, where it speaks of a person or a place.
    """
    found = []
    for name in names:
        if name not in FEATURES:
            why = kept_out(name) or f"is not one of the features; there are: {', '.join(FEATURES)}"
            raise FeatureError(name, f"kept out: {why}" if kept_out(name) else why)
        found.append(FEATURES[name])
    return tuple(found)

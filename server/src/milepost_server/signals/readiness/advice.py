"""What the check of a model found, in sentences, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.signals.readiness.card import POINTS_MAX
from milepost_server.signals.readiness.check import NOTHING_CAME, OUTCOMES_MIN, CameTrue, Held
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.features import FEATURES
from milepost_server.signals.readiness.model import SCORE_BINS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milepost_server.signals.readiness.columns import Column

REFIT = "milepost-server readiness fit"
MOVE_WORDS = {
    Move.STABLE: "as when it was learned",
    Move.SHIFTING: "moving",
    Move.SHIFTED: "has moved far",
    Move.TOO_FEW: "too few cars to say",
}
_EDGES: dict[str, Callable[[float], str]] = {
    "share": lambda value: f"{value * 100:,.0f} %",
    "log ratio": lambda value: f"{np.exp(value) * 100:,.0f} % of before",
}
_HELD_WORDS = {
    Held.HOLDS: "What it foretold came true, as far as chance lets one see.",
    Held.FEWER: "Clearly fewer came than it foretold: its odds are too high.",
    Held.MORE: "Clearly more came than it foretold: its odds are too low.",
    Held.BOLD: "As many came as it foretold, but it tells owners apart too boldly: those with high odds"
    " replaced less often than it said, those with low odds more often.",
    Held.TIMID: "As many came as it foretold, but it tells owners apart too timidly: those with high odds"
    " replaced more often than it said, those with low odds less often.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of a model."""

    came: CameTrue
    held: list[str]
    drift: str
    advice: str


def find(came: Mapping[str, Any] | None, drift: Sequence[Mapping[str, Any]], *, is_learned: bool) -> Finding:
    """What a check says: ``came`` and ``drift`` as they are stored; None and none before the first one."""
    known = NOTHING_CAME if came is None else CameTrue.from_document(came)
    moves = [Move(one["move"]) for one in drift]
    return Finding(
        known,
        held_sentences(known),
        drift_sentence(moves, is_learned=is_learned),
        advice(known.held, moves, is_learned=is_learned),
    )


def held_sentences(came: CameTrue) -> list[str]:
    """How what was foretold has held; how many outcomes are still missing where it cannot be told."""
    if not came.rows:
        return ["Too few outcomes yet: the 90 days after a score have passed for no car."]
    counted = (
        f"It scored a car {_counted(came.rows, 'time', 'times')} of which the 90 days after are known. Within"
        f" them the car was replaced {_counted(came.events, 'time', 'times')};"
        f" {_about(came.expected)} had been foretold."
    )
    if came.held is Held.TOO_FEW:
        kind = "replaced a car" if came.events <= came.rows - came.events else "kept theirs"
        return [counted, f"Too few outcomes yet: {came.outcomes} of {OUTCOMES_MIN} owners who {kind}."]
    return [counted, _HELD_WORDS[came.held]]


def drift_sentence(moves: Sequence[Move], *, is_learned: bool) -> str:
    """How the cars of the day, by column and score, are spread beside those that the model learned from."""
    if not is_learned:
        return "Published figures were not learned from cars that today's could differ from."
    if not moves:
        return "No car was scored on this day, so nothing can be compared with those it learned from."
    far, some, few = (moves.count(each) for each in (Move.SHIFTED, Move.SHIFTING, Move.TOO_FEW))
    if few == len(moves):
        return "There are too few cars to say whether they are others than those it learned from."
    if far:
        return f"Today's cars are no longer like those it learned from: {_of(far, len(moves))} moved far."
    if some:
        return (
            f"Today's cars begin to differ from those it learned from: {_of(some, len(moves))} begun to move."
        )
    return "Today's cars are like those it learned from."


def advice(held: Held, moves: Sequence[Move], *, is_learned: bool) -> str:
    """What to do: nothing, wait, or learn anew."""
    is_off = held not in (Held.HOLDS, Held.TOO_FEW)
    moved = Move.SHIFTED in moves
    if not is_learned:
        why = "Published figures do not fit your customers" if is_off else "These are published figures"
        return f"{why}: once there are outcomes, `{REFIT}` learns from them."
    if is_off:
        return f"Learn it anew: `{REFIT}`."
    if moved and held is Held.HOLDS:
        return f"What it says still holds. Learn it anew when convenient, from the cars of today: `{REFIT}`."
    if moved:
        return f"Learn it anew from the cars of today: `{REFIT}`."
    return "Nothing to do: learn anew every quarter, as usual."


def bin_words(column: Column, place: int) -> str:
    """A bin of a column as people say it: ``3 to under 6 months``, ``the car does not report faults``."""
    feature = FEATURES[column.name]
    if place == column.known_bins:
        return feature.unknown
    if column.levels:
        return feature.said(float(place))
    low = column.edges[place - 1] if place else None
    high = column.edges[place] if place < len(column.edges) else None
    if all(edge % 1 == 0.5 for edge in column.edges):
        return _whole(low, high, feature.unit)
    unit = f" {feature.unit}" if feature.unit not in _EDGES else ""
    edge = _EDGES.get(feature.unit, "{:,g}".format)
    if low is None:
        return f"under {edge(column.edges[0])}{unit}"
    if high is None:
        return f"{edge(low)}{unit} or more"
    return f"{edge(low)} to under {edge(high)}{unit}"


def score_bin_words(place: int) -> str:
    """A bin of the score: ``0 to 5 points``."""
    first, after = (-(-at * (POINTS_MAX + 1) // SCORE_BINS) for at in (place, place + 1))
    return f"{first} to {after - 1} points"


def _whole(low: float | None, high: float | None, unit: str) -> str:
    """Between two edges that lie half way between whole numbers: ``2 faults``, ``3 to 4 services``."""
    first = 0 if low is None else round(low + 0.5)
    if high is None:
        return f"{first} {unit} or more"
    last = round(high - 0.5)
    if first == last:
        return _counted(first, unit.removesuffix("s"), unit)
    return f"{first} to {last} {unit}"


def _of(some: int, size: int) -> str:
    return f"{some} of {size} figures {'has' if some == 1 else 'have'}"


def _counted(value: int, one: str, many: str) -> str:
    return f"{value:,} {one if value == 1 else many}"


def _about(amount: float) -> str:
    """Whole owners; fewer than ten with a tenth, so that none is not said of some."""
    return f"{amount:,.1f}" if amount < 10 else f"{amount:,.0f}"

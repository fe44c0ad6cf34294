"""Whether the readiness model in force still fits, in words: what came of its odds, whom it meets by now."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from milepost_server.signals.readiness import advice
from milepost_server.signals.readiness.check import CameTrue
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.features import FEATURES
from milepost_server.signals.readiness.model import POINTS
from milepost_server.web import words
from milepost_server.web.views.items import Badge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from milepost_server.signals.bootstrap import Interval
    from milepost_server.store.readiness_checks import CheckRow
    from milepost_server.store.readiness_models import ModelRow

BADGES = MappingProxyType(
    {Move.STABLE: "ok", Move.SHIFTING: "upcoming", Move.SHIFTED: "due", Move.TOO_FEW: "unknown"}
)


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of how what was foretold has held."""

    name: str
    value: str
    perfect: str


@dataclass(frozen=True, slots=True)
class MovedRow:
    """How far one column, or the score, has moved."""

    name: str
    badge: Badge
    bin: str
    then: str
    now: str
    index: str


@dataclass(frozen=True, slots=True)
class ModelCheckView:
    """The model in force, and whether it still fits."""

    version: str
    origin: str
    checked_on: dt.date | None
    held: Sequence[str]
    figures: Sequence[FigureRow]
    drift: str
    moved: Sequence[MovedRow]
    advice: str


def model_check_view(
    model: ModelRow | None, prior_version: str, checks: Sequence[CheckRow]
) -> ModelCheckView:
    """The check of ``model``; of the published figures, with their version, where there is none."""
    version = prior_version if model is None else model.version
    row = next((row for row in checks if row.model_version == version), None)
    drift = () if row is None else row.drift
    found = advice.find(None if row is None else row.came, drift, is_learned=model is not None)
    return ModelCheckView(
        version=version,
        origin=_origin(model),
        checked_on=None if row is None else row.as_of,
        held=found.held,
        figures=_figures(found.came),
        drift=found.drift,
        moved=[_moved(one) for one in drift],
        advice=found.advice,
    )


def came_by_version(checks: Sequence[CheckRow]) -> dict[str, str]:
    """What came of the odds of each model, in a sentence or two; nothing of those that cannot be told yet."""
    found = {row.model_version: CameTrue.from_document(row.came) for row in checks}
    return {key: " ".join(advice.held_sentences(came)) for key, came in found.items() if came.rows}


def _origin(model: ModelRow | None) -> str:
    if model is None:
        return "Published figures, not learned, in force as long as no model was learned."
    whose = "all dealers together" if model.dealer_id is None else "your own customers"
    return (
        f"Learned from {whose} on outcomes up to {words.day(model.fitted_on)},"
        f" in force since {words.day(model.in_force_on)}."
    )


def _figures(came: CameTrue) -> list[FigureRow]:
    if came.intercept is None or came.slope is None:
        return []
    return [
        FigureRow("Intercept: are odds too high or too low?", _interval(came.intercept), "0"),
        FigureRow("Slope: are owners told apart too boldly (below 1)?", _interval(came.slope), "1"),
    ]


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})".replace("-", "\u2212")


def _moved(one: Mapping[str, Any]) -> MovedRow:
    move, column = Move(one["move"]), one["column"]
    name = "The score" if column == POINTS else words.sentence(FEATURES[column].words).removesuffix(".")
    return MovedRow(
        name=name,
        badge=Badge(BADGES[move], words.sentence(advice.MOVE_WORDS[move]).removesuffix(".")),
        bin=one["bin"],
        then=f"{one['then'] * 100:.0f} of 100",
        now=f"{one['now'] * 100:.0f} of 100",
        index=f"{one['index']:.2f}",
    )

"""What is said of wear that was measured long ago."""

from __future__ import annotations

import datetime as dt

import numpy as np

from milepost_server.derivation.rows.wording import WORN_OUT, Begin, Said, limit_short, limit_text
from milepost_server.signals.fleet.inputs import ItemRules
from server.test_signals_fleet_items import PADS, Car, items

BEGIN = Begin(None, None, dt.date(2021, 10, 6))


def said(seen_d: tuple[float, float], lapses_after_d: float, worn: float = 60.0) -> Said:
    """Of a car of 40 km a day whose pads were 45 and then ``worn`` percent worn."""
    car = Car(signals={path: list(zip(seen_d, (45.0, worn), strict=True)) for path in PADS})
    return Said(items(car, rules=ItemRules(lapses_after_d=lapses_after_d))["front-pads"], 0, BEGIN)


def test_how_far_a_car_has_gone_since_a_measurement_is_said() -> None:
    fresh, old = said((-100.0, 0.0), np.inf), said((-200.0, -100.0), np.inf)
    assert limit_short(fresh) == "front left measured: 67% of the way to its limit"
    assert limit_short(old) == "front left measured 4,000 km ago: 67% of the way to its limit"
    assert limit_text(old) == "pads 90 percent worn: front left measured 4,000 km ago, 67% of the way"


def test_wear_that_must_have_run_out_long_ago_is_asked_for() -> None:
    lapsed = said((-200.0, -150.0), 60.0, worn=81.0)
    assert limit_short(lapsed) == WORN_OUT
    assert limit_text(lapsed) == (
        "pads 90 percent worn: front left measured 6,000 km ago, 90% of the way. It must have reached its "
        "limit so long ago that it has probably been renewed elsewhere since. Ask the owner when, or "
        "measure it"
    )

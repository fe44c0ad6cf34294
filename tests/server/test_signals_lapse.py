"""How late services come, and from when on a record says nothing more: against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from milepost_server.signals.errors import RulesError
from milepost_server.signals.fleet.inputs import ItemRules
from milepost_server.signals.fleet.late_sample import LateSample
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.lapse import (
    LapseRules,
    Lateness,
    lapses_after_d,
    still_to_do,
    without_record,
)
from milepost_server.signals.items.states import State
from server.test_signals_fleet_items import NOW_D, PADS, Car, fleet_of, items

RULES = LapseRules()
ELSEWHERE = 0.4
MEAN_LATE_D = 40.0


def drawn(size: int, seed: int, elsewhere: float = ELSEWHERE) -> tuple[Lateness, np.ndarray]:
    """Services that fell due at any time in two years, and which are truly still to be done."""
    rng = np.random.default_rng(seed)
    ago_d, done_d = rng.uniform(0, 730, size), rng.exponential(MEAN_LATE_D, size)
    came = (done_d < ago_d) & (rng.random(size) >= elsewhere)
    return Lateness(np.where(came, done_d, ago_d), came), done_d >= ago_d


def test_the_chance_is_the_share_that_is_truly_still_to_be_done() -> None:
    services, waits = drawn(60_000, 1)
    days, open_ = without_record(services, RULES.watched_d)
    chance = still_to_do(open_)
    for low, high in ((0, 20), (20, 50), (50, 90), (90, 140)):
        rows = ~services.came & (services.late_d >= low) & (services.late_d < high)
        said = np.interp(services.late_d[rows], days, chance)
        assert said.mean() == pytest.approx(waits[rows].mean(), abs=0.03), (low, high)
    assert open_[-1] == pytest.approx(ELSEWHERE, abs=0.02)


def test_an_item_lapses_where_the_chance_has_fallen_so_far() -> None:
    services, _ = drawn(60_000, 2)
    # Of those without a record, G = exp(-x / mean) wait, and (1 - G) * elsewhere were elsewhere.
    least = RULES.chance_min
    waits = least * ELSEWHERE / (1 - least * (1 - ELSEWHERE))
    assert lapses_after_d(services, RULES) == pytest.approx(-MEAN_LATE_D * np.log(waits), rel=0.1)


def test_where_nobody_goes_elsewhere_what_is_late_is_late() -> None:
    services, _ = drawn(5_000, 3, elsewhere=0.0)
    assert lapses_after_d(services, RULES) > 150


def test_of_few_services_nothing_is_learned_and_two_months_are_always_given() -> None:
    services, _ = drawn(120, 4)
    assert lapses_after_d(services, RULES) == np.inf
    assert lapses_after_d(Lateness.together([]), RULES) == np.inf
    soon, _ = drawn(5_000, 5)
    quick = Lateness(np.where(soon.came, soon.late_d / 20, soon.late_d), soon.came)
    assert lapses_after_d(quick, RULES) == RULES.after_d_min


@pytest.mark.parametrize("rules", [{"after_d_min": 200.0}, {"chance_min": 0.0}, {"after_d_min": -1.0}])
def test_rules_that_make_no_sense_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(RulesError):
        LapseRules(**rules)


def test_lateness_is_counted_from_the_first_limit_to_the_next_record_or_to_now() -> None:
    sample = LateSample(RULES)
    cars = (
        # Due by time after 365 days; the next one came 35 days later.
        Car(records=[("engine-oil", -500.0, 40_000.0), ("engine-oil", -100.0, 50_000.0)]),
        # Due by distance at 45,000 km; it is 9,000 km over, which is 225 days at 40 km a day.
        Car(records=[("engine-oil", -300.0, 30_000.0)]),
        # Not due yet.
        Car(records=[("engine-oil", -30.0, 53_000.0)]),
        # Came before it was due.
        Car(records=[("engine-oil", -300.0, 45_000.0), ("engine-oil", -30.0, 53_000.0)]),
    )
    sample.add(fleet_of(*cars), NOW_D)
    services = Lateness.together(sample.parts)
    assert services.late_d == pytest.approx([35, 225], abs=1.5)
    assert services.came.tolist() == [True, False]


LATE = (("engine-oil", -600.0, 40_000.0), ("front-pads", -600.0, 40_000.0))


def test_what_lapsed_is_a_question_and_what_is_measured_or_not_on_record_is_not_touched() -> None:
    worn = {path: [(-20.0, 95.0), (-1.0, 96.0)] for path in PADS}
    late, measured = Car(records=LATE), Car(records=LATE, signals=worn)
    never = Car(registered=-100.0, odometer=((-20, 3_000), (0, 3_800)))
    for after_d, expected in ((np.inf, State.OVERDUE), (300.0, State.OVERDUE), (200.0, State.UNKNOWN)):
        found = items(late, measured, never, rules=ItemRules(lapses_after_d=after_d))
        oil, pads = found["engine-oil"], found["front-pads"]
        assert oil.due.state[0] == expected
        assert oil.limits.forgotten.tolist() == [expected == State.UNKNOWN] * 2 + [False]
        assert np.isnan(oil.due.p_30d[0]) == (expected == State.UNKNOWN)
        assert oil.due.state[2] == State.OK
        assert pads.due.first_limit[1] == FirstLimit.WEAR


def test_wear_that_was_measured_before_it_ran_out_long_ago_is_a_question_too() -> None:
    # 60 km a percent: worn out at 50,400 km, 90 days ago.
    old = {path: [(-200.0, 30.0), (-150.0, 63.33)] for path in PADS}
    seen = {path: [*rows, (-1.0, 150.0)] for path, rows in old.items()}
    gone, still_there = Car(signals=old), Car(signals=seen)
    for after_d, expected in ((np.inf, State.OVERDUE), (110.0, State.OVERDUE), (60.0, State.UNKNOWN)):
        pads = items(gone, still_there, rules=ItemRules(lapses_after_d=after_d))["front-pads"]
        assert pads.due.state.tolist() == [expected, State.OVERDUE]
        assert pads.limits.forgotten.tolist() == [expected == State.UNKNOWN, False]
        assert np.isnan(pads.due.p_30d[0]) == (expected == State.UNKNOWN)

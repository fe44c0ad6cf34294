"""Checks of a model: drift beyond chance, what came against what was foretold, and what is said of both."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from milepost_server.signals.readiness import advice, drift, priors
from milepost_server.signals.readiness.check import OUTCOMES_MIN, CameTrue, Held, came_true
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.model import SCORE_BINS

DRAWS = 4_000


@pytest.mark.parametrize(("size", "rows", "others"), [(4, 60, 5_000), (8, 400, 400), (20, 2_000, 900)])
def test_what_chance_makes_of_the_index_is_known(size: int, rows: int, others: int) -> None:
    rng = np.random.default_rng(size)
    share = rng.dirichlet(np.full(size, 4.0))
    first, second = rng.multinomial(rows, share, DRAWS), rng.multinomial(others, share, DRAWS)
    index = np.array(
        [
            drift.stability(drift.smoothed(one), drift.smoothed(two))
            for one, two in zip(first, second, strict=True)
        ]
    )
    chance = drift.by_chance(size, rows, others)
    assert np.mean(index > chance) <= 0.004
    assert np.mean(index > 0.7 * chance) > 0.004, "and no more is put down to chance than it does"


def test_a_few_cars_are_never_said_to_have_moved() -> None:
    reference = np.array([0.5, 0.3, 0.2])
    found = drift.drift(reference, 10_000, np.array([0, 0, 12]))
    assert found.index > drift.MUCH
    assert found.move is Move.TOO_FEW


def test_many_cars_that_moved_are_said_to_have_and_where_the_most_of_it_is() -> None:
    reference = np.array([0.5, 0.3, 0.2])
    found = drift.drift(reference, 10_000, np.array([1_000, 3_000, 6_000]))
    assert (found.move, found.bin, found.then) == (Move.SHIFTED, 0, 0.5)
    assert found.now == pytest.approx(0.1, abs=1e-3)
    assert drift.drift(reference, 10_000, np.array([380, 330, 290])).move is Move.STABLE
    assert drift.drift(reference, 10_000, np.array([3_300, 3_400, 3_300])).move is Move.SHIFTING


def scored(seed: int, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """True log-odds of cars, and which of them were replaced."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-3, 1, rows)
    return log_odds, (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(float)


@pytest.mark.parametrize(
    ("slope", "shift", "held"),
    [
        (1.0, 0.0, Held.HOLDS),
        (1.0, 0.7, Held.FEWER),
        (1.0, -0.7, Held.MORE),
        (1.6, 0.0, Held.BOLD),
        (0.5, 0.0, Held.TIMID),
    ],
)
def test_odds_that_are_off_are_found_and_in_which_way(slope: float, shift: float, held: Held) -> None:
    log_odds, event = scored(3)

    def told(shift: float) -> np.ndarray:
        odds: np.ndarray = 1 / (1 + np.exp(-(slope * log_odds + shift)))
        return odds

    level = optimize.brentq(lambda at: told(at).mean() - event.mean(), -10, 10)
    found = came_true(told(level + shift), event)
    assert found.held is held, found
    assert found.slope is not None
    assert found.slope.low < 1 / slope < found.slope.high


def test_intervals_of_the_line_hold_as_often_as_they_say() -> None:
    lines = []
    for seed in range(300):
        log_odds, event = scored(seed, 1_500)
        found = came_true(1 / (1 + np.exp(-log_odds)), event)
        assert found.intercept is not None
        assert found.slope is not None
        lines.append(
            (found.intercept.low <= 0 <= found.intercept.high, found.slope.low <= 1 <= found.slope.high)
        )
    intercepts, slopes = np.mean(lines, axis=0)
    assert 0.91 <= intercepts <= 0.98
    assert 0.91 <= slopes <= 0.98


def test_too_few_outcomes_are_counted_and_not_judged() -> None:
    event = np.zeros(500)
    event[:7] = 1
    found = came_true(np.full(500, 0.5), event)
    assert (found.held, found.intercept, found.slope) == (Held.TOO_FEW, None, None)
    assert advice.held_sentences(found)[1] == "Too few outcomes yet: 7 of 20 owners who replaced a car."
    kept = advice.held_sentences(came_true(np.full(500, 0.5), 1 - event))
    assert kept[1] == "Too few outcomes yet: 7 of 20 owners who kept theirs."


def test_equal_odds_for_all_have_no_slope_and_are_judged_by_how_many_came() -> None:
    event = np.zeros(1_000)
    event[:50] = 1
    found = came_true(np.full(1_000, 0.05), event)
    assert (found.held, found.slope) == (Held.HOLDS, None)
    assert came_true(np.full(1_000, 0.2), event).held is Held.FEWER


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.0, 1e-9, 0.03, 0.5, 1.0]), st.sampled_from([0.0, 1.0])), max_size=90
    )
)
def test_whatever_came_is_a_document_without_a_nan(rows: list[tuple[float, float]]) -> None:
    found = came_true(np.array([p for p, _ in rows]), np.array([event for _, event in rows]))
    text = json.dumps(found.to_document(), allow_nan=False)
    assert CameTrue.from_document(json.loads(text)) == found
    assert all("nan" not in sentence for sentence in advice.held_sentences(found))
    assert (found.outcomes >= OUTCOMES_MIN) or found.held is Held.TOO_FEW


def test_each_state_has_its_advice() -> None:
    said = {
        (held, move): advice.advice(held, [move, Move.STABLE], is_learned=True)
        for held, move in product(Held, Move)
    }
    refit = f"`{advice.REFIT}`"
    quiet = {key for key, words in said.items() if refit not in words}
    assert quiet == {
        (held, move)
        for held, move in product((Held.HOLDS, Held.TOO_FEW), (Move.STABLE, Move.SHIFTING, Move.TOO_FEW))
    }
    assert "when convenient" in said[Held.HOLDS, Move.SHIFTED]
    assert "when convenient" not in said[Held.TOO_FEW, Move.SHIFTED]
    assert "do not fit" in advice.advice(Held.FEWER, [], is_learned=False)


def test_groups_of_cars_are_told_as_people_say_them() -> None:
    columns = {column.name: column for column in priors.shipped()[0].card.columns}

    def words(name: str) -> list[str]:
        return [advice.bin_words(columns[name], place) for place in range(columns[name].size)]

    assert words("recurring_faults") == [
        "0 faults",
        "1 fault",
        "2 faults",
        "3 faults or more",
        "the car does not report faults",
    ]
    assert words("repair_burden_share")[:2] == ["under 2 %", "2 % to under 5 %"]
    assert words("usage_change")[0] == "under 50 % of before"
    assert words("months_to_contract_end")[1] == "0 to under 3 months"
    assert words("is_lease") == ["it is no lease", "it is a lease", "no contract is known"]
    scores = [advice.score_bin_words(place) for place in range(SCORE_BINS)]
    assert (scores[0], scores[1], scores[-1]) == ("0 to 5 points", "6 to 10 points", "96 to 100 points")

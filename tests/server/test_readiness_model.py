"""Readiness models: exact sums, documents, priors, what is kept out, learning over the prior, words."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.ranking import calibration_line
from milepost_server.signals.readiness import explain, hazard, priors, wording
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.errors import FeatureError, FitError, ModelError
from milepost_server.signals.readiness.features import FEATURES, check
from milepost_server.signals.readiness.learning import Seen, learn_dealers, learn_model
from milepost_server.signals.readiness.model import POINTS, Scorecard
from milepost_server.signals.readiness.persons import kept_out
from milepost_server.signals.readiness.tuning import TuningRules

PRIOR, FIRMNESS = priors.shipped()
ON = "2027-03-01"
HALVES = (slice(0, 2_500), slice(2_500, None))
RANGES = {
    "months_to_contract_end": (-6, 48),
    "excess_fee_share": (0, 6),
    "months_to_warranty_end": (-24, 48),
    "repair_burden_share": (0, 0.5),
    "recurring_faults": (0, 5),
    "usage_change": (-1.5, 1.5),
    "months_since_service": (0, 60),
    "services_2y": (0, 8),
    "months_owned_over_usual": (-70, 60),
    "equity_share": (-0.5, 1),
    "age_months": (0, 240),
}


def owners(count: int, seed: int, unknown: float = 0.15) -> dict[str, np.ndarray]:
    """Columns of owners; some values are not known."""
    rng = np.random.default_rng(seed)
    values = {}
    for name in FEATURES:
        low, high = RANGES.get(name, (0, 1))
        drawn = rng.uniform(low, high, count)
        values[name] = np.rint(drawn) if name not in RANGES else drawn
        values[name][rng.random(count) < unknown] = np.nan
    return values


def seen(count: int, seed: int, model: Scorecard = PRIOR, tilt: float = 0.0) -> Seen:
    """What becomes of owners whose hazard is the model's, tilted by the number of services."""
    rng = np.random.default_rng([seed, 1])
    values = owners(count, seed)
    log_odds = model.score(values).log_odds + tilt * (np.nan_to_num(values["services_2y"], nan=4) - 4)
    chance = 1 / (1 + np.exp(-log_odds))
    month = rng.geometric(chance) - 1.0
    followed = rng.integers(1, 13, count).astype(float)
    return Seen(values, np.where(month < followed, month, np.nan), followed)


def learn(outcomes: Seen, prior: Scorecard = PRIOR, pairs: int = 0) -> Scorecard:
    return learn_model(outcomes, prior=prior, firmness=FIRMNESS, rules=TuningRules(pairs=pairs), fitted_on=ON)


@given(seed=st.integers(0, 10_000), unknown=st.sampled_from([0.0, 0.2, 1.0]))
def test_points_are_the_exact_sum_of_whole_reasons_from_0_to_100(seed: int, unknown: float) -> None:
    scores = PRIOR.score(owners(50, seed, unknown))
    assert scores.reason_points.dtype == np.int64
    assert (scores.points == scores.reason_points.sum(axis=1)).all()
    assert ((scores.points >= 0) & (scores.points <= 100)).all()
    assert scores.reason_points.shape == (50, len(scores.reasons))
    assert ((scores.p_90d > 0) & (scores.p_90d <= scores.p_180d) & (scores.p_180d < 1)).all()


def test_points_beyond_the_scale_are_taken_away_by_a_reason_of_their_own() -> None:
    values = {name: np.array([np.nan]) for name in FEATURES}
    best = {
        "months_to_contract_end": 1.0,
        "is_lease": 1.0,
        "repair_burden_share": 0.5,
        "excess_fee_share": 5.0,
    }
    best |= {"months_owned_over_usual": 20.0, "recurring_faults": 5.0, "months_to_warranty_end": -3.0}
    scores = PRIOR.score(values | {name: np.array([value]) for name, value in best.items()})
    assert scores.points[0] == 100
    assert scores.reason_points[0, -1] < 0
    assert scores.reasons[-1].words == "scores end at 0 and 100"


def test_chances_follow_from_the_log_odds_and_never_contradict_their_order() -> None:
    scores = PRIOR.score(owners(2_000, 1))
    order = np.argsort(scores.log_odds)
    assert (np.diff(scores.p_90d[order]) >= 0).all()
    monthly = 1 / (1 + np.exp(-scores.log_odds))
    assert scores.p_90d == pytest.approx(1 - (1 - monthly) ** 3)
    unclipped = scores.reason_points[:, :-1].sum(axis=1)
    exact = (scores.log_odds - PRIOR.card.scale.zero_log_odds) * PRIOR.card.scale.points_per_log_odds
    assert np.abs(unclipped - exact).max() <= (len(scores.reasons) - 1) / 2


def test_points_and_chances_follow_declared_directions() -> None:
    for name, feature in FEATURES.items():
        if feature.direction:
            rising = np.linspace(*RANGES[name], 60)
            for start in range(20):
                others = {key: np.repeat(value, 60) for key, value in owners(1, start).items()}
                scores = PRIOR.score(others | {name: rising})
                assert (feature.direction * np.diff(scores.points) >= 0).all(), name
                assert (feature.direction * np.diff(scores.p_90d) >= 0).all(), name


def test_a_document_scores_the_same_bit_for_bit() -> None:
    values = owners(3_000, 2)
    for model in (PRIOR, learn(seen(3_000, 3), pairs=2)):
        text = json.dumps(model.to_document(), allow_nan=False)
        again = Scorecard.from_document(json.loads(text))
        assert again.version == model.version
        first, second = model.score(values), again.score(values)
        assert (first.reason_points == second.reason_points).all()
        assert first.p_90d.tobytes() == second.p_90d.tobytes()
        assert first.p_180d.tobytes() == second.p_180d.tobytes()
        assert json.dumps(again.to_document()) == json.dumps(model.to_document())


def test_any_change_of_a_document_is_another_version_or_an_error() -> None:
    document = PRIOR.to_document()
    changed = copy.deepcopy(document)
    changed["later"]["base_log_odds"] += 1e-9
    assert Scorecard.from_document(changed).version != PRIOR.version
    changed["tables"][0]["points"][0] += 1
    with pytest.raises(ModelError, match="changed by hand"):
        Scorecard.from_document(changed)


def _smuggled(document: dict[str, Any], name: str) -> dict[str, Any]:
    document["columns"][0]["name"] = name
    document["tables"][0]["features"] = [name]
    return document


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gender", "speaks of a person"),
        ("owner_age", "age of a person"),
        ("homePostcode", "speaks of a place"),
        ("trip_start_hour", "speaks of a place"),
        ("shoe_size", "is not one of the features; there are: months_to_contract_end"),
    ],
)
def test_demographics_location_and_the_unknown_cannot_be_configured_in(name: str, why: str) -> None:
    with pytest.raises(FeatureError, match=why):
        check([name])
    with pytest.raises(FeatureError, match=why):
        Scorecard.from_document(_smuggled(PRIOR.to_document(), name))


@pytest.mark.parametrize(
    "name", ["age_of_vehicle_years", "carAge", "battery_state_of_health", "total_services"]
)
def test_what_speaks_of_a_car_is_let_in(name: str) -> None:
    assert kept_out(name) is None


@pytest.mark.parametrize(
    "name", ["Age", "age_band", "GENDER", "household-income", "zip", "Latitude", "suburb"]
)
def test_what_speaks_of_a_person_or_a_place_is_kept_out(name: str) -> None:
    assert kept_out(name) is not None


def test_no_word_opens_the_door_to_more_than_the_age_of_a_car() -> None:
    assert kept_out("age", of_vehicle=True) is None
    assert kept_out("gender", of_vehicle=True) is not None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"format": 2}, "format"),
        ({"base_log_odds": float("nan")}, "base_log_odds"),
        ({"strange": 1}, "strange"),
        ({"points_per_log_odds": 0.0}, "scale"),
        ({"tables": [{"features": ["age_months"], "log_odds": [1.0], "points": [1]}]}, "table 0"),
    ],
)
def test_a_document_that_is_none_says_which_part(change: dict[str, Any], what: str) -> None:
    with pytest.raises(ModelError, match=what):
        Scorecard.from_document(PRIOR.to_document() | change)


def test_a_missing_column_is_an_error_that_names_it() -> None:
    values = owners(3, 1)
    del values["equity_share"]
    with pytest.raises(FeatureError, match="equity_share"):
        PRIOR.score(values)


def test_nobody_to_score_is_no_error() -> None:
    scores = PRIOR.score(owners(0, 1))
    assert scores.reason_points.shape == (0, len(scores.reasons))
    assert len(scores.order()) == 0


def test_priors_are_marked_and_every_number_has_its_source() -> None:
    assert PRIOR.mark == "prior, not learned"
    assert all(source.startswith(("published: ", "assumption: ")) for source in PRIOR.sources)
    average = PRIOR.score({name: np.array([np.nan]) for name in FEATURES})
    assert average.p_90d[0] == pytest.approx(1 - (1 - 1 / 71.4) ** 3, rel=0.15)


def test_a_prior_against_its_direction_is_an_error() -> None:
    text = 'a = 1\n[base]\nmonthly_hazard = 0.01\nbasis = "assumption"\nsource = "for this test"\n'
    with pytest.raises(ModelError, match="priors"):
        priors.read(text)
    with pytest.raises(ModelError, match="TOML"):
        priors.read("[")


def test_a_lease_that_ends_in_five_months_is_of_the_second_quarter() -> None:
    values = {name: np.full(2, np.nan) for name in FEATURES}
    scores = PRIOR.score(values | {"is_lease": np.ones(2), "months_to_contract_end": np.array([1.0, 5.0])})
    assert scores.p_90d[0] > 3 * scores.p_90d[1]
    later = (scores.p_180d - scores.p_90d) / (1 - scores.p_90d)
    assert later[1] > 2 * later[0]


def test_few_outcomes_leave_the_prior_and_many_leave_it_behind() -> None:
    values = owners(4_000, 9)
    before = PRIOR.score(values)
    few = learn(seen(20, 4, tilt=0.6))
    assert np.abs(few.score(values).log_odds - before.log_odds).mean() < 0.35
    many = learn(seen(60_000, 5, tilt=0.6))
    slope = np.polyfit(
        np.nan_to_num(values["services_2y"], nan=4.0), many.score(values).log_odds - before.log_odds, 1
    )[0]
    assert slope == pytest.approx(0.6, abs=0.12)
    assert (few.mark, many.fitted, many.fitted_on) == ("", "learned", ON)


def test_what_is_learned_is_calibrated_within_90_and_180_days() -> None:
    model = learn(seen(30_000, 6, tilt=0.4), pairs=2)
    fresh = seen(30_000, 7, tilt=0.4)
    scores = model.score(fresh.values)
    for months, chance in ((3, scores.p_90d), (6, scores.p_180d)):
        whole = fresh.months_followed >= months
        came = np.nan_to_num(fresh.months_to_event, nan=99.0) < months
        assert chance[whole].mean() == pytest.approx(came[whole].mean(), rel=0.06)
    assert model.calibration is not None
    inside = (model.calibration.low <= model.calibration.expected) & (
        model.calibration.expected <= model.calibration.high
    )
    assert inside.mean() >= 0.7


def test_an_owner_who_was_looked_at_on_several_days_is_not_foretold_by_what_came_of_it() -> None:
    once = seen(1_500, 11, tilt=0.2)
    owner = np.repeat(np.arange(1_500), 6)
    model = learn(replace(once.of(owner), owner=owner), pairs=3)
    fresh = seen(30_000, 12, tilt=0.2)
    whole = fresh.months_followed >= 3
    came = (np.nan_to_num(fresh.months_to_event, nan=99.0) < 3)[whole].astype(np.float64)
    _, slope = calibration_line(model.score(fresh.values).p_90d[whole], came, np.ones(len(came)))
    assert slope == pytest.approx(1, abs=0.15)


def test_a_dealer_with_few_outcomes_has_the_pooled_model_nearly_and_one_with_none_has_it() -> None:
    outcomes = seen(20_000, 8, tilt=0.5)
    dealer = np.zeros(20_000, dtype=np.int64)
    dealer[:60], dealer[60:65] = 1, 2
    outcomes.months_to_event[60:65] = np.nan
    pooled, alone = learn_dealers(
        outcomes, dealer, prior=PRIOR, firmness=FIRMNESS, rules=TuningRules(pairs=0), fitted_on=ON
    )
    assert set(alone) == {0, 1}
    values = owners(1_000, 10)
    apart = [
        np.abs(model.score(values).log_odds - pooled.score(values).log_odds).mean()
        for model in alone.values()
    ]
    from_prior = np.abs(PRIOR.score(values).log_odds - pooled.score(values).log_odds).mean()
    assert max(apart) < from_prior / 2


def test_a_weight_counts_like_that_many_owners() -> None:
    once = seen(400, 11)
    times = np.random.default_rng(1).integers(0, 3, 400)
    weighted = learn(Seen(once.values, once.months_to_event, once.months_followed, times.astype(float)))
    repeated = learn(once.of(np.repeat(np.arange(400), times)))
    values = owners(200, 12)
    assert weighted.score(values).log_odds == pytest.approx(repeated.score(values).log_odds, abs=1e-3)


def test_nothing_seen_is_an_error() -> None:
    with pytest.raises(FitError, match="no rows"):
        learn(Seen(owners(5, 1), np.full(5, np.nan), np.zeros(5)))


def test_months_at_risk_by_hand() -> None:
    event = np.array([np.nan, 0.0, 2.9, 3.0, np.nan, 5.0])
    followed = np.array([2.0, 12, 12, 12, 12, 4])
    near = hazard.at_risk(event, followed, 0, 3)
    later = hazard.at_risk(event, followed, 3, 3)
    assert near.months.tolist() == [2, 1, 3, 3, 3, 3]
    assert near.events.tolist() == [0, 1, 1, 0, 0, 0]
    assert later.months.tolist() == [0, 0, 0, 1, 3, 1]
    assert later.events.tolist() == [0, 0, 0, 1, 0, 0]


def test_drift_is_seen_where_it_is_and_not_where_it_is_not() -> None:
    model = learn(seen(5_000, 13))
    same = model.drifted(model.counts(owners(5_000, 14)))
    assert same.keys() == {*(column.name for column in model.card.columns), POINTS}
    assert {each.move for each in same.values()} == {Move.STABLE}
    moved = owners(5_000, 15)
    moved["age_months"] += 60
    counts = model.counts(moved)
    assert model.drifted(counts)["age_months"].move is Move.SHIFTED
    assert PRIOR.drifted(PRIOR.counts(moved)) == {}
    halves = [model.counts({name: each[half] for name, each in moved.items()}) for half in HALVES]
    assert all((halves[0][name] + halves[1][name] == counts[name]).all() for name in counts)
    nobody = model.counts({name: each[:0] for name, each in moved.items()})
    assert model.drifted(nobody) == {}


def test_a_reference_that_lacks_a_share_is_refused() -> None:
    content = learn(seen(5_000, 13)).to_document()
    content["reference"]["columns"]["age_months"].pop()
    with pytest.raises(ModelError, match="each bin"):
        Scorecard.from_document(content)


def test_the_reasons_of_one_owner_in_words() -> None:
    values = {name: float("nan") for name in FEATURES}
    values |= {"months_to_contract_end": 4.2, "is_lease": 1.0, "services_2y": 3.0, "usage_change": -0.3}
    values["months_owned_over_usual"] = 15.0
    columns = {name: np.array([value]) for name, value in values.items()}
    scores = PRIOR.score(columns)
    (reasons,) = explain.told(PRIOR, columns, scores)
    assert [abs(each.points) for each in reasons] == sorted((abs(e.points) for e in reasons), reverse=True)
    assert sum(each.points for each in reasons) == scores.points[0]
    by_key = {each.reason.key: each for each in reasons}
    lease = by_key["months_to_contract_end+is_lease"]
    assert lease.words == "the contract ends in 4 months, and it is a lease"
    assert lease.would_change.startswith("22 more in 2 months as time passes; would change with a renewed")
    assert by_key["services_2y"].words == "3 services here within two years"
    assert by_key["usage_change"].words == "drives 26 % less than before"
    assert by_key["months_owned_over_usual"].would_change == "nothing that anybody does changes it"
    assert (by_key["services_2y"].value, by_key["services_2y"].unit, lease.value) == (3.0, "services", None)
    assert lease.reason.evidence == ("contracts",)


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        ("recurring_faults", 0.0, "no fault came back within a year"),
        ("recurring_faults", 1.0, "1 fault came back within a year"),
        ("services_2y", 0.0, "no service here within two years"),
        ("months_since_service", 0.3, "last service here this month"),
        ("age_months", 0.2, "the car is less than a month old"),
        ("excess_fee_share", 0.04, "no fee for excess kilometres is to be expected at the end"),
        ("excess_fee_share", 0.5, "excess kilometres would cost 0.5 monthly payments at the end"),
        ("equity_share", 1.0, "nothing is owed on the car"),
        ("equity_share", 0.4, "worth 40 % of its value above what is still owed"),
        ("usage_change", 0.3, "drives 35 % more than before"),
    ],
)
def test_a_value_is_said_as_people_say_it(feature: str, value: float, words: str) -> None:
    assert FEATURES[feature].said(value) == words


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "fewer than 1 of 1,000"),
        (0.004, "4 of 1,000"),
        (0.0099, "10 of 1,000"),
        (0.00999, "1 of 100"),
        (0.123, "12 of 100"),
        (0.9949, "99 of 100"),
        (0.999, "more than 99 of 100"),
    ],
)
def test_a_probability_is_said_as_so_many_of_a_hundred(probability: float, words: str) -> None:
    assert wording.of_owners(probability) == words


def test_nobody_is_said_to_be_about_to_buy() -> None:
    learned = wording.sentence(0.123, 90, learned=True)
    assert learned == "12 of 100 owners like this one replaced their car within 90 days"
    prior = wording.sentence(0.123, 180, learned=False)
    assert "by published figures" in prior
    said = [learned, prior, *(f"{f.words} {f.would_change} {f.unknown}" for f in FEATURES.values())]
    assert not [text for text in said if "will" in text.split() or "buy" in text.split()]

"""12 V and traction batteries: states, times to a limit, warranty; and what little is not enough for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.ends import Place
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.health.battery import (
    NO_SEASON,
    Battery,
    BatteryReadings,
    BatteryRules,
    BatteryState,
    Measure,
    batteries,
    month_of,
    season_of,
)
from milepost_server.signals.health.pack import (
    PackLimits,
    PackOutcome,
    PackReadings,
    PackRules,
    Packs,
    pack_limits,
    packs,
    parse_pack_facts,
    shipped_pack_facts,
)
from milepost_server.signals.health.trend import HORIZON_D_MAX
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import Usage, UsageRules

AS_OF = 20_000.0
RULES = BatteryRules()
YEAR = 365.25


def readings(*vehicles: list[tuple[float, float]]) -> BatteryReadings:
    """Vehicles with rows (days before the as-of time, value)."""
    flat = [row for vehicle in vehicles for row in vehicle]
    return BatteryReadings(
        offsets_of(np.array([len(v) for v in vehicles], dtype=np.int64)),
        np.array([AS_OF - age for age, _ in flat], dtype=np.float64),
        np.array([value for _, value in flat], dtype=np.float64),
    )


def falling(today: float, per_year: float, days: int = 720, step: int = 10) -> list[tuple[float, float]]:
    return [(float(age), today + per_year * -age / YEAR) for age in range(days, -1, -step)]


def judge(
    cranking: list[tuple[float, float]],
    rest: list[tuple[float, float]] | None = None,
    health: list[tuple[float, float]] | None = None,
    renewed_d: float = np.nan,
) -> Battery:
    rows = [readings(cranking), readings(rest or []), readings(health or [])]
    return batteries(rows, np.array([renewed_d]), [NO_SEASON] * len(Measure), AS_OF, RULES)


@pytest.mark.parametrize(
    ("volts", "state"), [(10.4, BatteryState.GOOD), (9.4, BatteryState.WEAK), (8.8, BatteryState.REPLACE)]
)
def test_the_state_is_that_of_the_cranking_voltage(volts: float, state: BatteryState) -> None:
    found = judge(falling(volts, 0.0))
    assert (found.state[0], found.measure[0]) == (state, Measure.CRANKING_MINIMUM)
    assert found.level[0] == pytest.approx(volts, abs=0.1)


def test_a_falling_voltage_tells_when_the_battery_has_to_be_replaced() -> None:
    found = judge(falling(10.0, -1.0))
    assert found.slope_per_year[0] == pytest.approx(-1.0, abs=0.05)
    assert found.days_p50[0] == pytest.approx(YEAR, rel=0.08)
    assert found.days_p10[0] < found.days_p50[0] < found.days_p90[0] < 2 * YEAR
    assert (found.first_row[0], found.last_row[0]) == (0, 72)


def test_a_battery_that_is_soon_at_its_limit_is_weak_already() -> None:
    rows = [readings(falling(9.9, -1.0)), readings([]), readings([])]
    season = [NO_SEASON] * len(Measure)
    states = [
        batteries(rows, np.array([np.nan]), season, AS_OF, replace(RULES, soon_d=soon_d)).state[0]
        for soon_d in (300.0, 400.0)
    ]
    assert states == [BatteryState.GOOD, BatteryState.WEAK]


def test_a_battery_that_dies_within_days_is_said_so_but_one_odd_start_is_not_believed() -> None:
    steady = falling(10.5, 0.0)
    dying = judge([*steady[:-3], (9.0, 8.7), (4.0, 8.5), (1.0, 8.6)])
    assert (dying.state[0], dying.days_p50[0]) == (BatteryState.REPLACE, 0.0)
    assert dying.level[0] == pytest.approx(8.6)
    assert judge([*steady[:-1], (1.0, 8.0)]).state[0] == BatteryState.GOOD


def test_the_measure_that_says_the_worst_speaks() -> None:
    found = judge(falling(10.5, 0.0), rest=falling(11.8, 0.0))
    assert (found.state[0], found.measure[0]) == (BatteryState.REPLACE, Measure.REST_VOLTAGE)
    assert found.levels[:2, 0].tolist() == pytest.approx([10.5, 11.8], abs=0.15)
    assert np.isnan(found.levels[Measure.STATE_OF_HEALTH, 0])
    health = judge(falling(10.5, 0.0), falling(12.6, 0.0), falling(65.0, -5.0))
    assert (health.state[0], health.measure[0]) == (BatteryState.WEAK, Measure.STATE_OF_HEALTH)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(10.0, 9.9), (5.0, 9.9)],  # two only
        [(500.0, 9.9), (400.0, 9.9), (300.0, 9.9)],  # silent since
        [(9.0, np.nan), (8.0, np.nan), (7.0, np.nan)],
    ],
)
def test_too_little_is_unknown_and_says_nothing_else(rows: list[tuple[float, float]]) -> None:
    found = judge(rows)
    assert (found.state[0], found.measure[0], found.first_row[0]) == (BatteryState.UNKNOWN, -1, -1)
    numbers = [found.level, found.level_sd, found.slope_per_year, found.days_p10, found.days_p50]
    assert np.isnan(numbers).all()


def test_a_new_battery_forgets_the_old_one_whether_recorded_or_seen() -> None:
    old, new = falling(8.9, -1.0, 300)[:20], [(float(age), 10.6) for age in range(100, 0, -10)]
    shifted = [(age + 100, value) for age, value in old]
    seen = judge(shifted + new)
    recorded = judge(shifted + new, renewed_d=AS_OF - 100.0)
    for found in (seen, recorded):
        assert found.state[0] == BatteryState.GOOD
        assert found.level[0] == pytest.approx(10.6, abs=0.15)
    assert recorded.first_row[0] == len(shifted)
    assert seen.first_row[0] == pytest.approx(len(shifted), abs=1)  # the span of 91 days in which it was


def test_two_batteries_in_a_row_are_one_of_half_the_voltage() -> None:
    one, two = judge(falling(9.4, 0.0), falling(12.5, 0.0)), judge(falling(18.8, 0.0), falling(25.0, 0.0))
    assert one.state.tolist() == two.state.tolist() == [BatteryState.WEAK]
    assert one.level.tolist() == pytest.approx(two.level.tolist())


def test_the_season_is_learned_from_the_fleet_and_taken_out() -> None:
    rng = np.random.default_rng(1)

    def winter(time_d: np.ndarray) -> np.ndarray:
        return -0.4 * np.cos((time_d / YEAR) * 2 * np.pi)

    cars = []
    for _ in range(200):
        ages = np.sort(rng.uniform(0, 730, 40))[::-1]
        volts = 10.3 + winter(AS_OF - ages) + rng.normal(0, 0.1, len(ages))
        cars.append(list(zip(ages.tolist(), volts.tolist(), strict=True)))
    measure = RULES.measures[Measure.CRANKING_MINIMUM]
    season = season_of(readings(*cars), measure)
    assert season.sum() == pytest.approx(0, abs=1e-9)
    middle = (np.arange(12) + 0.5) * YEAR / 12
    assert season == pytest.approx(winter(middle), abs=0.09)  # shrunk to none

    half = [row for row in cars[0] if row[0] < 180]
    rows = [readings(half), readings([]), readings([])]
    flat, raw = (
        batteries(rows, np.array([np.nan]), [added, NO_SEASON, NO_SEASON], AS_OF, RULES)
        for added in (season, NO_SEASON)
    )
    assert abs(flat.level[0] - 10.3) < 0.15
    assert abs(flat.level[0] - 10.3) < abs(raw.level[0] - 10.3)


def test_months_are_those_of_the_calendar() -> None:
    days = np.array(["2024-01-15", "2024-02-15", "2031-12-15", "1969-12-15"], dtype="datetime64[D]")
    assert month_of(days.astype(np.int64).astype(np.float64)).tolist() == [0, 1, 11, 11]


@given(
    st.lists(
        st.lists(st.tuples(st.floats(-10, 900), st.floats(0, 40)), max_size=12).map(
            lambda rows: sorted(rows, reverse=True)
        ),
        max_size=4,
    ),
)
def test_numbers_come_together_or_not_at_all(cars: list[list[tuple[float, float]]]) -> None:
    empty = readings(*([] for _ in cars))
    found = batteries(
        [readings(*cars), empty, empty], np.full(len(cars), np.nan), [NO_SEASON] * 3, AS_OF, RULES
    )
    known = found.state > BatteryState.UNKNOWN
    for column in (found.level, found.level_sd, found.slope_per_year, found.days_p10, found.days_p90):
        assert np.isfinite(column).tolist() == known.tolist()
    assert ((found.last_row >= 0) == known).all()
    assert (found.days_p10[known] <= found.days_p50[known]).all()
    assert (found.days_p50[known] <= found.days_p90[known]).all()


def test_four_of_five_batteries_reach_their_limit_within_the_interval() -> None:
    rng = np.random.default_rng(11)
    vehicles, usual = 2_000, RULES.measures[Measure.CRANKING_MINIMUM].usual
    slopes = rng.normal(usual.slope_per_year, usual.slope_sd_per_year, vehicles)
    today = rng.uniform(9.3, 11.0, vehicles)
    cars = []
    for slope, volts in zip(slopes, today, strict=True):
        ages = np.arange(7, -1, -1) * 91.0 + 30.0  # one a span, so that the scatter is that of spans
        drawn = volts - slope * ages / YEAR + rng.normal(0, usual.noise, len(ages))
        cars.append(list(zip(ages.tolist(), drawn.tolist(), strict=True)))
    empty = readings(*([] for _ in cars))
    found = batteries(
        [readings(*cars), empty, empty], np.full(vehicles, np.nan), [NO_SEASON] * 3, AS_OF, RULES
    )
    limit = RULES.measures[Measure.CRANKING_MINIMUM].replace
    true_d = np.where(slopes < 0, (today - limit) / np.maximum(-slopes, 1e-9) * YEAR, HORIZON_D_MAX)
    foretold = (found.days_p90 < HORIZON_D_MAX) & (found.days_p10 > 0)
    inside = ((true_d >= found.days_p10) & (true_d <= found.days_p90))[foretold]
    assert len(inside) > 500
    assert inside.mean() == pytest.approx(0.8, abs=0.06)


@pytest.mark.data
def test_the_starts_of_a_real_car_are_those_of_a_good_battery(data: Path) -> None:
    from milepost_agent import paths  # noqa: PLC0415
    from milepost_agent.derive.voltage import Voltage  # noqa: PLC0415
    from milepost_agent.readings import Reading  # noqa: PLC0415
    from milepost_simulator.car import pids  # noqa: PLC0415
    from milepost_simulator.car.recorded import load_drive  # noqa: PLC0415

    dips = []
    for path in sorted((data / "drives").glob("*.csv")):
        voltage, drive = Voltage(), load_drive(path)
        for at_s, row in zip(drive.times_s, drive.rows, strict=True):
            said = voltage.feed(Reading(paths.VOLTAGE, row[pids.VOLTAGE], at_s))
            said += voltage.feed(Reading(paths.RPM, row[pids.ENGINE_SPEED], at_s))
            dips += [float(r.value) for r in said if r.signal == paths.CRANKING_MINIMUM]
    assert len(dips) >= 4
    found = judge([(30.0 * (len(dips) - n), volts) for n, volts in enumerate(dips)])
    assert found.state[0] == BatteryState.GOOD
    assert min(dips) <= found.level[0] <= max(dips)


def ahead(km_per_year: float, vehicles: int = 1) -> Ahead:
    rate = np.full(vehicles, km_per_year * 1_000.0 / YEAR)
    usage = Usage(rate, np.full(vehicles, 0.02), np.full(vehicles, 0.1), np.full(vehicles, 4.0))
    return Ahead(usage, UsageRules())


def pack(rows: list[tuple[float, float]], age_years: float, km: float, km_per_year: float = 15_000) -> Packs:
    found = readings(rows)
    warranty = [shipped_pack_facts().of("Renault")]
    first = np.zeros(1, dtype=np.int64)
    limits = pack_limits(warranty, first, np.array([AS_OF - age_years * YEAR]), np.zeros(1))
    return packs(
        PackReadings(found.offsets, found.time_d, found.value),
        limits,
        Place(np.array([AS_OF]), np.array([km * 1_000.0])),
        ahead(km_per_year),
        AS_OF,
        facts=shipped_pack_facts(),
        rules=PackRules(),
    )


def test_a_pack_that_ages_as_most_do_holds_until_its_warranty_ends() -> None:
    found = pack(falling(92.0, -2.0, 1_000), 4.0, 60_000)
    assert found.outcome[0] == PackOutcome.HOLDS
    assert found.claim_odds[0] < 0.05
    assert found.warranty_end_d[0] == pytest.approx(AS_OF + 4 * YEAR, abs=2)


@pytest.mark.parametrize(
    ("today", "per_year", "outcome"),
    [
        (78.0, -3.5, PackOutcome.LIKELY),
        (78.0, -1.9, PackOutcome.POSSIBLE),
        (69.0, -4.0, PackOutcome.CLAIM),
    ],
)
def test_a_pack_that_ages_fast_may_be_a_claim(today: float, per_year: float, outcome: PackOutcome) -> None:
    found = pack(falling(today, per_year, 1_500), 4.0, 60_000)
    assert found.outcome[0] == outcome
    assert found.reach_d_p10[0] <= found.reach_d_p50[0] <= found.reach_d_p90[0]
    assert found.reach_m_p10[0] <= found.reach_m_p50[0] <= found.reach_m_p90[0]


def test_the_limit_is_reached_at_the_date_and_odometer_of_the_line() -> None:
    found = pack(falling(80.0, -4.0, 1_500), 3.0, 45_000)
    assert (found.reach_d_p50[0] - AS_OF) / YEAR == pytest.approx(2.5, rel=0.1)
    years = (found.reach_d_p50[0] - AS_OF) / YEAR
    assert found.reach_m_p50[0] / 1_000 == pytest.approx(45_000 + 15_000 * years, rel=0.02)


def test_of_the_packs_with_these_odds_as_many_become_claims() -> None:
    rng = np.random.default_rng(4)
    vehicles, usual = 3_000, shipped_pack_facts().usual
    slopes = rng.normal(usual.slope_percent_per_year, usual.slope_sd_percent_per_year, vehicles)
    today = rng.uniform(72.0, 84.0, vehicles)
    ages = np.arange(7, -1, -1) * PackRules().window_d / 8 + 10.0  # one a span
    percent = (
        today[:, None] - slopes[:, None] * ages / YEAR + rng.normal(0, usual.noise_percent, (vehicles, 8))
    )
    rows = PackReadings(
        np.arange(vehicles + 1, dtype=np.int64) * 8, np.tile(AS_OF - ages, vehicles), percent.ravel()
    )
    years_left = 3.0
    limits = PackLimits(
        np.full(vehicles, 70.0), np.full(vehicles, AS_OF + years_left * YEAR), np.full(vehicles, 1e12)
    )
    found = packs(
        rows,
        limits,
        Place(np.full(vehicles, AS_OF), np.zeros(vehicles)),
        ahead(15_000, vehicles),
        AS_OF,
        facts=shipped_pack_facts(),
        rules=PackRules(),
    )
    claims = today + slopes * years_left < 70.0
    assert found.claim_odds.mean() == pytest.approx(claims.mean(), abs=0.02)
    for low, high in ((0.0, 0.1), (0.3, 0.7), (0.9, 1.0)):
        like = (found.claim_odds >= low) & (found.claim_odds <= high)
        assert like.sum() > 100
        assert claims[like].mean() == pytest.approx(found.claim_odds[like].mean(), abs=0.06)


def test_a_warranty_ends_by_distance_for_whom_drives_far() -> None:
    found = pack(falling(85.0, -2.0, 900), 3.0, 150_000, km_per_year=50_000)
    assert (found.warranty_end_d[0] - AS_OF) / YEAR == pytest.approx(0.2, rel=0.1)
    over = pack(falling(65.0, -2.0, 900), 3.0, 165_000)
    assert (over.outcome[0], over.claim_odds[0]) == (PackOutcome.ENDED, 0.0)


def test_what_is_not_known_of_a_pack_is_unknown() -> None:
    found = pack([], 3.0, 45_000)
    assert found.outcome[0] == PackOutcome.UNKNOWN
    assert np.isnan([found.claim_odds[0], found.level[0], found.reach_d_p50[0], found.reach_m_p50[0]]).all()
    nowhere = pack(falling(85.0, -2.0, 900), np.nan, 45_000)
    assert nowhere.outcome[0] == PackOutcome.UNKNOWN
    assert not np.isnan(nowhere.level[0])
    assert np.isnan([nowhere.reach_d_p50[0], nowhere.reach_m_p90[0], nowhere.warranty_end_d[0]]).all()


def test_without_an_odometer_a_warranty_ends_by_date() -> None:
    found = pack(falling(92.0, -2.0, 1_000), 4.0, np.nan)
    assert found.outcome[0] == PackOutcome.HOLDS
    assert found.warranty_end_d[0] == pytest.approx(AS_OF + 4 * YEAR, abs=2)


def test_a_pack_that_does_not_age_reaches_its_limit_beyond_the_horizon() -> None:
    found = pack(falling(97.0, 0.0, 1_500), 4.0, 60_000)
    assert found.reach_d_p50[0] <= AS_OF + HORIZON_D_MAX
    assert found.reach_d_p90[0] == pytest.approx(AS_OF + HORIZON_D_MAX)


FACTS = """schema = 1
[[warranty]]
make = "{make}"
limit_percent = {limit}
months = 96
distance_km = 160000
source = "somewhere or other"
[usual]
slope_percent_per_year = -2.0
slope_sd_percent_per_year = 1.0
noise_percent = 0.8
source = "somewhere or other"
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("schema =", "is no TOML"),
        (FACTS.format(make="", limit=170), "limit_percent"),
        (FACTS.format(make="kia", limit=70), "for all makes"),
        (FACTS.format(make="", limit=70) + "more = 1\n", "more"),
    ],
)
def test_bad_facts_of_packs_say_where(text: str, why: str) -> None:
    with pytest.raises(DataFileError, match=why):
        parse_pack_facts(text, "pack.toml")


def test_pack_limits_begin_with_the_car() -> None:
    facts = shipped_pack_facts()
    warranties = [facts.of("Toyota"), facts.of("X")]
    limits = pack_limits(warranties, np.array([0, 1]), np.array([0.0, np.nan]), np.zeros(2))
    assert limits.end_d[0] == pytest.approx(8 * 365.2425)
    assert np.isnan(limits.end_d[1])
    assert np.isnan(limits.percent[1])
    assert limits.end_m[0] == 160e6
    assert np.isnan(limits.end_m[1])

"""Fleets as columns: the same by seed whatever their size, true to their own truth, as their page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from milepost_simulator.cli import main
from milepost_simulator.fleet import flaws, observed, turnover
from milepost_simulator.fleet.blocks import BLOCK_OWNERS
from milepost_simulator.fleet.column_files import write_columns
from milepost_simulator.fleet.column_part import ITEM_KEYS, grid_days
from milepost_simulator.fleet.columns import BlockTables, block_tables
from milepost_simulator.fleet.columns_observed import BUYERS_FROM
from milepost_simulator.fleet.fleet import Block, make_block
from milepost_simulator.fleet.items import ITEMS, YOUNG_MONTHS
from milepost_simulator.fleet.lot import AHEAD_DAYS, FleetPlan
from milepost_simulator.fleet.makes import FLEET_MODELS
from milepost_simulator.fleet.population import MONTH_DAYS, Contract

AS_OF_DAY = 20_500
PLAN = FleetPlan(owners=BLOCK_OWNERS, seed=7, months=24, as_of_day=AS_OF_DAY, settled=False)
BLOCKS = 6
PAGE = Path(__file__).parents[2] / "docs" / "fleet-columns.md"


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return [make_block(PLAN, number, BLOCK_OWNERS) for number in range(BLOCKS)]


@pytest.fixture(scope="module")
def tables(blocks: list[Block]) -> list[BlockTables]:
    return [block_tables(block, with_wear=True) for block in blocks]


def column(tables: list[BlockTables], side: str, table: str, name: str) -> np.ndarray[Any, Any]:
    return np.concatenate([getattr(block, side)[table][name] for block in tables])


def test_the_same_plan_gives_the_same_columns(blocks: list[Block], tables: list[BlockTables]) -> None:
    again = block_tables(make_block(PLAN, 0, BLOCK_OWNERS), with_wear=True)
    other = block_tables(make_block(PLAN._replace(seed=8), 0, BLOCK_OWNERS), with_wear=True)
    for mine, theirs in zip(again, tables[0], strict=True):
        for table, columns in theirs.items():
            for name, values in columns.items():
                assert np.array_equal(mine[table][name], values, equal_nan=values.dtype.kind == "f")
    assert not np.array_equal(
        other.observed["readings"]["odometer_m"][:50], tables[0].observed["readings"]["odometer_m"][:50]
    )


def test_an_owner_is_the_same_in_a_fleet_of_ten(tables: list[BlockTables]) -> None:
    whole, few = tables[0], block_tables(make_block(PLAN, 0, 10), with_wear=True)
    owners = whole.observed["tenures"]["owner"]
    mine = few.observed["vehicles"]["number"]
    assert (np.unique(few.observed["tenures"]["owner"][~_is_buyer(few)]) == np.arange(10)).all()
    assert len(np.unique(owners[owners < BUYERS_FROM])) == BLOCK_OWNERS
    for table in ("readings", "services", "faults"):
        numbers = whole.observed["vehicles"]["number"][whole.observed[table]["vehicle"]]
        kept = np.isin(numbers, mine)
        for name, values in few.observed[table].items():
            if name != "vehicle":
                assert np.array_equal(whole.observed[table][name][kept], values), (table, name)


def _is_buyer(tables: BlockTables) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = tables.observed["tenures"]["owner"] >= BUYERS_FROM
    return found


def test_a_vehicle_is_in_one_pair_of_hands_at_a_time(tables: list[BlockTables]) -> None:
    changed = 0
    for block in tables:
        tenures = block.observed["tenures"]
        ended = np.where(tenures["until_day"] < 0, AS_OF_DAY + AHEAD_DAYS, tenures["until_day"])
        order = np.lexsort((tenures["owned_since_day"], tenures["vehicle"]))
        same = np.diff(tenures["vehicle"][order]) == 0
        assert (tenures["owned_since_day"][order][1:][same] > ended[order][:-1][same]).all()
        changed += int(same.sum())
    assert changed > 50


def test_owners_who_stay_have_another_car_and_the_others_none(
    blocks: list[Block], tables: list[BlockTables]
) -> None:
    gone = stayed = bought = 0
    for block, columns in zip(blocks, tables, strict=True):
        ended = block.first.until_day < AS_OF_DAY
        gone += int(ended.sum())
        later = block.lots[1].population
        stayed += int(((later.from_day < AS_OF_DAY) & ~later.is_buyer).sum())
        bought += int(((later.from_day < AS_OF_DAY) & later.is_buyer).sum())
        assert (columns.observed["tenures"]["owned_since_day"] < AS_OF_DAY).all()
    assert 0.15 < gone / sum(len(b.first.population) for b in blocks) < 0.5
    assert stayed / gone == pytest.approx(turnover.STAYS, abs=0.08)
    assert bought / gone == pytest.approx(turnover.BOUGHT_BY_CUSTOMER, abs=0.08)


def test_what_happens_is_what_the_hazard_says(blocks: list[Block]) -> None:
    hazard = np.concatenate([block.first.intent.hazard for block in blocks])
    replaced = np.concatenate([block.first.intent.replaced_day for block in blocks])
    month = ((replaced - PLAN.first_day) / MONTH_DAYS).astype(np.int64)
    alive = np.cumprod(1 - hazard, axis=1)
    expected = 1 - alive[:, -1]
    happened = (replaced > 0).sum()
    assert abs(happened - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    # Those who are said to be likely are those who do it: month by month, given that it has not happened.
    at_risk = (replaced == 0)[:, None] | (np.arange(hazard.shape[1]) <= month[:, None])
    event = (replaced > 0)[:, None] & (np.arange(hazard.shape[1]) == month[:, None])
    for low, high in ((0.0, 0.01), (0.01, 0.05), (0.05, 1.0)):
        within = at_risk & (hazard >= low) & (hazard < high)
        wanted = hazard[within].sum()
        assert abs(event[within].sum() - wanted) < 4 * np.sqrt(wanted)


def test_intent_pulls_where_it_should(blocks: list[Block]) -> None:
    hazard = np.concatenate([block.first.intent.hazard for block in blocks])[:, 12]
    people = [block.first.population for block in blocks]
    kind = np.concatenate([p.contract for p in people])
    left = np.concatenate([p.contract_end_day for p in people]) - (PLAN.first_day + 365)
    frailty = np.concatenate([p.frailty for p in people])
    lease_ends = (kind == Contract.LEASE) & (left >= 0) & (left < 90)
    assert hazard[lease_ends].mean() > 4 * hazard[(kind == Contract.LEASE) & (left > 400)].mean()
    assert hazard[frailty > 1.5].mean() > 1.5 * hazard[frailty < 0.7].mean()
    assert 0.005 < hazard.mean() < 0.03


def test_slips_have_the_rates_and_forms_that_their_constants_say() -> None:
    rng = np.random.default_rng(3)
    shown_km = rng.uniform(10_000, 250_000, 200_000)
    km, flaw = flaws.key_in(rng, shown_km)
    assert (flaw > 0).mean() == pytest.approx(flaws.SLIPS, abs=0.004)
    shares = np.bincount(flaw[flaw > 0], minlength=5)[1:] / (flaw > 0).sum()
    assert shares == pytest.approx(flaws.SLIP_SHARES, abs=0.03)
    right = np.floor(shown_km).astype(np.int64)
    clean = flaw == flaws.Flaw.NONE
    assert (np.abs(km - right)[clean] < flaws.ROUND_KM).all()
    for value, wrong in zip(
        right[flaw == flaws.Flaw.TRANSPOSED], km[flaw == flaws.Flaw.TRANSPOSED], strict=True
    ):
        coarse = value // flaws.ROUND_KM * flaws.ROUND_KM
        assert sorted(str(wrong).zfill(6)) in (sorted(str(value).zfill(6)), sorted(str(coarse).zfill(6)))
    tenfold = flaw == flaws.Flaw.TENFOLD
    ratio = km[tenfold] / right[tenfold]
    assert (np.isclose(ratio, 10, rtol=0.02) | np.isclose(ratio, 0.1, rtol=0.02)).all()


def test_right_readings_show_the_true_odometer_but_for_swapped_clusters(tables: list[BlockTables]) -> None:
    swaps = 0
    for block in tables:
        seen, truth = block.observed["readings"], block.truth["readings"]
        offset = np.zeros(len(block.observed["vehicles"]["number"]))
        since = np.full(len(offset), np.inf)
        offset[block.truth["clusters"]["vehicle"]] = block.truth["clusters"]["offset_m"]
        since[block.truth["clusters"]["vehicle"]] = block.truth["clusters"]["day"]
        shown = truth["odometer_m"] + np.where(
            seen["time_d"] >= since[seen["vehicle"]], offset[seen["vehicle"]], 0
        )
        own = (truth["flaw"] == 0) & (seen["source"] == observed.SOURCE.own)
        assert (np.abs(seen["odometer_m"] - shown)[own] <= 1_000).all()
        entered = (truth["flaw"] == 0) & (seen["source"] == observed.SOURCE.entered)
        assert (np.abs(seen["odometer_m"] - shown)[entered] <= 100_000).all()
        swaps += int(np.isfinite(since[seen["vehicle"]]).any())
        rising = np.diff(seen["vehicle"]) == 0
        assert (np.diff(truth["odometer_m"])[rising] >= 0).all()
        assert (np.diff(seen["time_d"])[rising] >= 0).all()
        assert (seen["time_d"] < AS_OF_DAY).all()
    assert swaps >= 3


def test_silence_and_gaps_leave_some_cars_without_readings_for_months(tables: list[BlockTables]) -> None:
    longest = []
    for block in tables:
        seen = block.observed["readings"]
        gap = np.diff(seen["time_d"])[np.diff(seen["vehicle"]) == 0]
        longest.append(float(np.quantile(gap, 0.995)))
        connected = block.observed["tenures"]["connected"]
        assert 0.5 < connected.mean() < 0.85
    assert min(longest) > 60


def test_due_days_follow_from_the_true_odometer_and_wear(blocks: list[Block]) -> None:
    """Recomputed day by day from the kilometres, for lives that begin by a renewal in the history."""
    checked = {item.key: 0 for item in ITEMS}
    for block in blocks[:2]:
        lot = block.first
        lives = lot.life.lives
        begun = np.flatnonzero((lives.seen_day > 0) & (lives.due_day < lives.days))
        for life in begun[:: max(len(begun) // 400, 1)]:
            item = ITEMS[int(lives.item[life])]
            row, start = int(lives.row[life]), int(lives.seen_day[life])
            km = np.cumsum(lot.km[row, start + 1 :])
            day = np.arange(start + 1, lives.days)
            age_then = PLAN.first_day + start - lot.population.registered_day[row]
            young = item.months_young is not None and age_then < YOUNG_MONTHS * MONTH_DAYS
            months = item.months_young if young and item.months_young is not None else item.months
            shares = np.stack(
                [
                    km / item.distance_km,
                    (day - start) / (months * MONTH_DAYS),
                    (lives.per_km[life] * km + lives.per_day[life] * (day - start)) / item.wear_limit,
                ]
            )
            assert day[np.argmax(shares.max(axis=0) >= 1 - 1e-9)] == lives.due_day[life], item.key
            checked[item.key] += 1
    assert all(count >= 5 for key, count in checked.items() if key not in ("coolant", "battery-12v")), checked


def test_lives_end_where_the_next_begins_and_records_are_some_of_them(tables: list[BlockTables]) -> None:
    for block in tables:
        lives = block.truth["lives"]
        order = np.lexsort((lives["seen_day"], lives["item"], lives["tenure"]))
        same = (np.diff(lives["tenure"][order]) == 0) & (np.diff(lives["item"][order]) == 0)
        ended = lives["renewed_day"][order][:-1][same]
        assert np.array_equal(ended, lives["seen_day"][order][1:][same])
        vehicle = block.observed["tenures"]["vehicle"][lives["tenure"]]
        born = set(zip(vehicle, lives["item"], lives["start_day"], strict=True))
        services = block.observed["services"]
        recent = services["done_day"] >= PLAN.first_day
        done = set(
            zip(
                *(services[name][recent] for name in ("vehicle", "item", "done_day")),
                strict=True,
            )
        )
        assert done <= born
        assert len(done) > 200
        assert 0.02 < (services["known_day"] > services["done_day"]).mean() < 0.15


def test_the_grid_holds_the_true_odometer(blocks: list[Block], tables: list[BlockTables]) -> None:
    grid = grid_days(PLAN) - PLAN.first_day
    for block, columns in zip(blocks, tables, strict=True):
        lot = block.first
        km = lot.population.odometer_m[:, None] / 1000 + np.concatenate(
            [np.zeros((len(lot.population), 1)), lot.curves.value[:, grid[1:] - 1]], axis=1
        )
        metres = columns.truth["tenures"]["odometer_m"][: len(lot.population)]
        assert np.abs(metres - 1000 * km).max() < 1


def test_wear_readings_scatter_around_the_truth(tables: list[BlockTables]) -> None:
    position = column(tables, "observed", "wear", "position")
    value, share = (
        column(tables, side, "wear", name) for side, name in (("observed", "value"), ("truth", "share"))
    )
    left_pads = position == 0
    error = value[left_pads] - np.minimum(100 * share[left_pads], 100)
    assert abs(np.median(error)) < 0.5
    assert 0.8 < np.std(error) < 1.6
    assert len(error) > 2_000


def test_contracts_add_up(tables: list[BlockTables]) -> None:
    kind = column(tables, "observed", "contracts", "kind")
    rate, principal, balloon, interest = (
        column(tables, "observed", "contracts", name)
        for name in ("monthly_rate", "principal", "balloon", "annual_interest")
    )
    days = column(tables, "observed", "contracts", "end_day") - column(
        tables, "observed", "contracts", "start_day"
    )
    loans = (kind == Contract.FINANCE) & np.isfinite(rate)
    months, monthly = days[loans] / MONTH_DAYS, interest[loans] / 12
    growth = (1 + monthly) ** months
    left = principal[loans] * growth - rate[loans] * (growth - 1) / monthly
    assert left == pytest.approx(balloon[loans], rel=0.01, abs=2_000)
    assert 0.1 < np.isnan(rate[kind == Contract.FINANCE]).mean() < 0.3


def test_parts_join_blocks_and_the_page_names_every_column(tmp_path: Path) -> None:
    heard: list[int] = []
    plan = PLAN._replace(owners=BLOCK_OWNERS + 3, months=8)
    total = write_columns(plan, tmp_path, lambda so_far: heard.append(so_far.owners), with_wear=True)
    assert total.owners == heard[-1] == plan.owners
    written: dict[str, set[str]] = {}
    for side in ("observed", "truth"):
        with np.load(tmp_path / side / "part-00000.npz", allow_pickle=False) as arrays:
            written[side] = set(arrays)
            tenures = len(arrays["tenures.replaced_day" if side == "truth" else "tenures.owner"])
            for name in arrays:
                if name.endswith(".tenure"):
                    assert arrays[name].max() < tenures
            if side == "observed":
                assert arrays["readings.vehicle"].max() < len(arrays["vehicles.number"])
                assert (np.diff(arrays["readings.vehicle"]) >= 0).all()
                assert len(np.unique(arrays["vehicles.number"])) == len(arrays["vehicles.number"])
    page = PAGE.read_text()
    for side in ("observed", "truth"):
        section = page.split(f"## {side}\n")[1].split("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+\.\w+)`", section, re.MULTILINE)) == written[side]
    facts = json.loads((tmp_path / "fleet.json").read_text())
    assert facts["items"] == list(ITEM_KEYS)
    assert len(facts["models"]) == len(FLEET_MODELS)


def test_a_smaller_fleet_takes_the_place_of_a_larger_one(tmp_path: Path) -> None:
    (tmp_path / "observed").mkdir()
    (tmp_path / "observed" / "part-00009.npz").write_text("old")
    arguments = ["fleet", "--columns", "--owners", "5", "--months", "6", "--as-of", "2026-03-03"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "5 owners" in result.output
    assert [path.name for path in (tmp_path / "observed").iterdir()] == ["part-00000.npz"]


def test_columns_without_truth_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["fleet", "--columns", "--no-truth", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--no-truth" in result.output


def test_the_past_in_service_books_is_no_steadier_than_the_history(tables: list[BlockTables]) -> None:
    """Distances between visits of before the history, against the pace of the year after it began."""
    ratios = []
    for block in tables:
        services, truth = block.observed["services"], block.truth["tenures"]
        tenure_of = np.unique(block.observed["tenures"]["vehicle"], return_index=True)[1]
        for vehicle in np.unique(services["vehicle"])[:150]:
            mine = (services["vehicle"] == vehicle) & (services["done_day"] < PLAN.first_day)
            day, first = np.unique(services["done_day"][mine], return_index=True)
            metres = services["odometer_m"][mine][first]
            grid = truth["odometer_m"][tenure_of[vehicle]]
            pace = (grid[12] - grid[0]) / 365.25
            far = np.diff(day) > 90
            ratios += list((np.diff(metres)[far] / np.diff(day)[far] / max(pace, 1)).tolist())
            assert (np.diff(metres) >= -1_000).all()
    spread = np.diff(np.quantile(np.log(np.maximum(ratios, 0.01)), (0.1, 0.9)))[0] / 2.56
    assert 0.15 < spread < 0.8

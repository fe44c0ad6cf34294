"""Histories: every promise is kept, a seed repeats exactly, and what once failed stays mended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost_simulator.cli import main
from milepost_simulator.errors import ScenarioError
from milepost_simulator.world.draw import GROUPS, draw
from milepost_simulator.world.faults import FAULTS
from milepost_simulator.world.history import Verdict, play
from milepost_simulator.world.ledger import Ledger
from milepost_simulator.world.scenario import Fault, Scenario, from_document, to_document
from milepost_simulator.world.soak import play_all

SEEDS = range(300)
SEEDS_A_TEST = 50
REGRESSIONS = tomllib.loads(Path(__file__).with_name("world_regressions.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("first", SEEDS[::SEEDS_A_TEST])
def test_every_promise_is_kept(first: int) -> None:
    tally = play_all(range(first, first + SEEDS_A_TEST))
    told = "\n".join(
        f"milepost-sim world --seed {failure.seed} --trace   # {failure.violations[0]}"
        for failure in tally.failures
    )
    assert not tally.failures, f"replay with\n{told}"
    # Hard enough to mean something:
    counts = tally.counts
    assert min(counts["power_cut"], counts["kill"]) > SEEDS_A_TEST / 10
    assert counts["stored"] > 50 * SEEDS_A_TEST
    assert min(counts["gap_restored"], counts["in_gaps"]) > 0


def test_these_histories_have_faults_of_every_kind() -> None:
    seen = {fault.kind for seed in SEEDS for fault in draw(seed).faults}
    assert seen == set(FAULTS)


def test_the_generator_knows_every_fault() -> None:
    beside = {"back_up", "keep_copy", "battery", "desire"}
    assert {kind for group in GROUPS for kind in group.kinds} | beside == set(FAULTS)


@pytest.mark.parametrize("history", REGRESSIONS["history"], ids=lambda history: history["name"])
def test_what_once_failed_stays_mended(history: dict[str, str]) -> None:
    verdict = play(from_document(json.loads(history["scenario"]), history["name"]))
    assert not verdict.violations, history["what"]


# --- Repetition ---------------------------------------------------------------------------------------------

REPEATED = (3, 17, 42)


def test_a_seed_repeats_exactly() -> None:
    def digests() -> list[str]:
        return [play(draw(seed)).digest for seed in REPEATED]

    assert digests() == digests()


def test_a_seed_repeats_in_another_process_with_other_hashes() -> None:
    code = (
        "from milepost_simulator.world.draw import draw\n"
        "from milepost_simulator.world.history import play\n"
        f"print(*(play(draw(seed)).digest for seed in {REPEATED}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [play(draw(seed)).digest for seed in REPEATED]


@pytest.mark.parametrize("seed", range(20))
def test_a_scenario_is_its_document(seed: int) -> None:
    scenario = draw(seed)
    assert from_document(json.loads(json.dumps(to_document(scenario)))) == scenario


def test_a_document_with_what_no_scenario_has_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"mine: .*weather"):
        from_document({"seed": 1, "weather": "fine"}, "mine")


def test_nothing_happens_where_nothing_goes_wrong() -> None:
    verdict: Verdict = play(Scenario(seed=5, duration_s=60.0))
    assert not verdict.violations
    assert verdict.counts["stored"] == verdict.counts["arrived"] == verdict.counts["read"] > 0
    assert not verdict.counts["lost"] + verdict.counts["in_gaps"]


# --- The command --------------------------------------------------------------------------------------------


def test_the_command_sums_up_and_writes_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    told = CliRunner().invoke(main, ["world", "--seed", "7", "--trace", "--json", str(figures)])
    assert told.exit_code == 0, told.output
    assert "life 1 begins" in told.output
    assert f"digest {play(draw(7)).digest}" in told.output
    assert json.loads(figures.read_text())["runs"] == 1


def test_a_broken_promise_ends_with_1_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "looked", lambda self: self.violate("made up"))
    told = CliRunner().invoke(main, ["world", "--seed", "7"])
    assert told.exit_code == 1
    assert "broken promise at" in told.output
    assert "made up" in told.output


def test_a_scenario_is_saved_and_played_again(tmp_path: Path) -> None:
    saved = tmp_path / "one.json"
    first = CliRunner().invoke(main, ["world", "--seed", "9", "--save", str(saved)])
    again = CliRunner().invoke(main, ["world", "--scenario", str(saved)])
    assert first.exit_code == again.exit_code == 0
    assert first.output == again.output


def test_a_fault_is_told_with_its_time() -> None:
    verdict = play(Scenario(seed=1, duration_s=20.0, faults=(Fault(10.0, "kick"),)))
    assert any("10.000  kick" in line for line in verdict.trace)

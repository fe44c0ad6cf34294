"""The polling plan, in a time that the test makes."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from milepost_agent.sources.obd.pids import requests
from milepost_agent.sources.obd.polling import RETRIES_MAX, UNANSWERED_S_MAX, PollPlan, wanted

ALL_PIDS = frozenset(range(256))


def poll(
    plan: PollPlan, seconds: float, answer_s: float, *, standing: bool = False
) -> dict[str, list[float]]:
    """When each request was asked, on a bus that needs ``answer_s`` for an answer to anything."""
    asked: dict[str, list[float]] = {}
    now_s = 0.0
    while now_s < seconds:
        request = plan.next(now_s)
        if request is None:
            wait_s = plan.wait_s(now_s)
            assert wait_s is not None
            now_s += max(wait_s, 1e-6)
            continue
        asked.setdefault(request.command, []).append(now_s)
        plan.answered(request, now_s, standing=standing)
        now_s += answer_s
    return asked


def test_nothing_is_asked_more_often_than_its_interval() -> None:
    plan = PollPlan(wanted(requests(), ALL_PIDS, 0.0), 0.0)
    asked = poll(plan, 130.0, 0.05)
    intervals = {r.command: r.interval_s for r in requests()}
    for command, times in asked.items():
        assert all(b - a >= intervals[command] - 1e-6 for a, b in itertools.pairwise(times)), command
    assert len(asked["010C"]) == pytest.approx(130, abs=5)
    assert len(asked["03"]) == 3
    assert len(asked["0902"]) == 1


def test_on_a_slow_bus_all_get_their_turn() -> None:
    asked = poll(PollPlan(wanted(requests(), ALL_PIDS, 0.0), 0.0), 300.0, 1.0)
    assert set(asked) == {r.command for r in requests() if r.interval_s}
    assert len(asked["010C"]) > 60


def test_while_the_engine_stands_the_voltage_is_asked_for_most() -> None:
    asked = poll(PollPlan(wanted(requests(), ALL_PIDS, 0.0), 0.0), 10.0, 0.02, standing=True)
    counts = Counter({command: len(times) for command, times in asked.items()})
    assert counts.most_common(1)[0][0] == "0142"
    assert counts["0142"] > 40


def test_an_engine_that_stops_makes_the_voltage_due_soon() -> None:
    plan = PollPlan([r for r in requests() if r.command == "0142"], 0.0)
    poll(plan, 1.0, 0.05)
    assert plan.wait_s(1.0) == pytest.approx(9.0, abs=0.1)
    plan.started(1.0, standing=True)
    assert plan.wait_s(1.0) == pytest.approx(0.2)


def test_only_what_the_car_supports_is_asked_and_fine_values_only_on_demand() -> None:
    chosen = {r.command for r in wanted(requests(), frozenset({0x0C, 0x04}), 0.0)}
    assert chosen == {"010C", "0902", "03", "07", "0A"}
    fine = {r.command: r.interval_s for r in wanted(requests(), frozenset({0x0C, 0x04}), 2.0)}
    assert fine["0104"] == 2.0
    assert fine["010C"] == 1.0


def test_a_bad_line_is_retried_soon_and_an_unknown_request_ever_more_rarely() -> None:
    vin = next(r for r in requests() if r.command == "0902")
    plan, now_s, waits = PollPlan([vin], 0.0), 0.0, []
    for _ in range(15):
        plan.unanswered(vin, now_s, standing=False)
        wait_s = plan.wait_s(now_s)
        assert wait_s is not None
        waits.append(wait_s)
        now_s += wait_s
    assert waits[:RETRIES_MAX] == [5.0] * RETRIES_MAX
    assert waits == sorted(waits)
    assert waits[-1] == UNANSWERED_S_MAX
    plan.answered(vin, now_s, standing=False)
    assert plan.wait_s(now_s) == vin.interval_s


@pytest.mark.parametrize(("code", "dropped"), [(0x11, True), (0x12, True), (0x22, False)])
def test_what_a_car_refuses_for_good_is_asked_no_more(code: int, dropped: bool) -> None:
    request = requests()[0]
    plan = PollPlan([request], 0.0)
    plan.refused(request, code, 0.0, standing=False)
    assert (plan.next(1e6) is None) == dropped
    assert plan.dropped == ([request.command] if dropped else [])
    assert (plan.wait_s(0.0) is None) == dropped

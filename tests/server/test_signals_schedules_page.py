"""The page about schedules says what is so: its example holds, its errors are those that one gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.items.life_cycle import LifeCycleRules
from milepost_server.signals.items.states import DueRules
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.schedules.parsing import parse_layer
from milepost_server.signals.schedules.shipped import shipped_book

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
HEAD = 'schema = 1\ntitle = "For a test"\nmake = "Halden"\nmodel = "Dal"\n'
SOURCE = 'source = "made up for this test"\n'


def code_under(heading: str) -> str:
    """The lines of code under a heading, as one would copy them."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))


def test_the_example_holds_and_does_what_the_page_says() -> None:
    layer = parse_layer(code_under("A file"), "own.toml")
    plan = shipped_book().with_layers({"own.toml": layer}).plan(Kind("combustion", "Halden", "Fjell"))
    items = {item.key: item for item in plan.items}
    assert "battery-12v" not in items
    assert items["engine-oil"].interval[0].distance_km == 12_000
    assert items["engine-oil"].wear is not None
    assert items["front-pads"].wear is not None
    assert items["front-pads"].wear.limit == 85
    assert items["brake-fluid"].countdown is not None
    assert plan.origins["engine-oil"] == "Northgate: our intervals (own schedule of Northgate Motors)"


def intervals(*bands: str, key: str = "brake-fluid") -> str:
    return f'{HEAD}[[item]]\nkey = "{key}"\n' + "".join(
        f"[[item.interval]]\n{band}\n{SOURCE}" for band in bands
    )


MISTAKES = [
    intervals("to_months = 36\ntime_months = 48", "from_months = 42\ntime_months = 24"),
    intervals("to_months = 36\ntime_months = 48", "from_months = 30\ntime_months = 24"),
    intervals("to_months = 36\ntime_months = 48"),
    intervals("time_months = 48", key="engin-oil"),
    intervals("time_months = 48"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_each_error_on_the_page_is_the_one_that_one_gets(number: int) -> None:
    said = code_under("What is wrong with a file").splitlines()
    assert len(said) == len(MISTAKES)
    # The last mistake is one only beside another file.
    last = number == len(MISTAKES) - 1
    others = {"halden.toml": parse_layer(intervals("time_months = 24"), "halden.toml")} if last else {}
    with pytest.raises(ScheduleError) as caught:
        shipped_book().with_layers({**others, "own.toml": parse_layer(MISTAKES[number], "own.toml")})
    assert str(caught.value) == said[number]


def test_the_days_on_the_page_are_those_of_the_rules() -> None:
    due, cycle = DueRules(), LifeCycleRules()
    text = " ".join(PAGE.split())
    assert (due.upcoming_d, due.due_d, due.leaves_d) == (90, 30, (104, 37, 2))
    for words in ("from 90 days before", "`due` from 30", "beyond 104 days", "beyond 37", "two days ahead"):
        assert words in text
    assert (cycle.booked_grace_d, cycle.done_grace_d, cycle.reminders_d) == (3, 7, (7, 14))
    for words in ("after three days", '"done" after seven', "after 7 and after 14 days"):
        assert words in text

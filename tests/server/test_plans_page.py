"""The page about subscription plans says what is so: its example holds, and one gets the errors it shows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from milepost_server.derivation.plans import plans_with
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.value.plans import PLANS_MAX

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")


def code_under(heading: str) -> str:
    """The lines of code under a heading, as one would copy them."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if line.startswith("    ") or not line)


EXAMPLE = code_under("A file").strip() + "\n"
OTHER = 'schema = 1\n[[plan]]\nname = "Town"\nkm_per_year = 1\nprice_per_year = 1\nprice_per_extra_km = 1\n'


def test_the_example_holds_and_does_what_the_page_says() -> None:
    found = plans_with((("plans", EXAMPLE),))
    before, after = found.on(dt.date(2026, 12, 31)), found.on(dt.date(2027, 1, 1))
    assert before.names == after.names == ("Town", "Country")
    assert before.price.tolist() == [468_000, 564_000]
    assert after.price.tolist() == [492_000, 564_000]
    assert before.allowance_m.tolist() == [10_000_000, 20_000_000]
    assert f"At most {PLANS_MAX} plans hold on one day" in PAGE


def changed(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


MISTAKES = [
    changed("from = 2027-01-01", "from = 2026-12-31"),
    changed("from = 2027-01-01", "from = 2027-02-01"),
    changed("until = 2026-12-31", "from = 2026-12-31\nuntil = 2026-01-01"),
    EXAMPLE,
    changed("price_per_year = 4680", "price_per_year = -4680"),
    changed("price_per_year = 4680", "price = 4680"),
    changed("km_per_year = 10000", "km_per_year = ten"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_each_error_on_the_page_is_the_one_that_one_gets(number: int) -> None:
    said = [line for line in code_under("What is wrong with a file").splitlines() if line]
    assert len(said) == len(MISTAKES)
    # The fourth is a mistake only beside another file.
    others = (("other", OTHER),) if number == 3 else ()
    with pytest.raises(DataFileError) as caught:
        plans_with((*others, ("plans", MISTAKES[number])))
    assert str(caught.value) == said[number]

"""Entries of services as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol import service
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.service import ServiceEntry, parse
from milepost_protocol.signals import TEXT_BYTES_MAX, catalogue

NOTES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF).filter(str.isprintable), max_size=60
).map(str.strip)


@given(
    st.from_regex(service.ITEM_PATTERN, fullmatch=True).filter(lambda item: len(item) <= 64),
    st.none() | st.integers(0, service.ODOMETER_M_MAX),
    NOTES,
)
def test_every_entry_comes_back_from_its_text_which_fits_the_signal(
    item: str, odometer_m: int | None, note: str
) -> None:
    entry = ServiceEntry(item, odometer_m, note)
    assert parse(entry.text()) == entry
    assert catalogue()[service.SIGNAL].check(entry.text())
    longest = ServiceEntry("i" * service.ITEM_CHARACTERS_MAX, service.ODOMETER_M_MAX, "n" * 120)
    assert len(longest.text().encode()) <= TEXT_BYTES_MAX


@given(st.text(max_size=80))
def test_any_other_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    try:
        entry = parse(text)
    except ValueRefusedError:
        return
    assert parse(entry.text()) == entry


@pytest.mark.parametrize(
    "broken",
    [
        {"item": ""},
        {"item": "Engine Oil"},
        {"item": "-oil"},
        {"item": "o" * 65},
        {"item": "oil", "odometer_m": -1},
        {"item": "oil", "odometer_m": service.ODOMETER_M_MAX + 1},
        {"item": "oil", "note": "two\nlines"},
        {"item": "oil", "note": "n" * 121},
    ],
)
def test_what_cannot_be_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueRefusedError):
        ServiceEntry(**broken)

"""What a trouble code is called: the operator's own file of texts, else our short titles, else its system.

The file is CSV with the columns ``code,manufacturer,description,generic``, as public tables of codes have
them: ``generic`` is 1 for a text that holds for every maker. A maker's own text goes before a generic one.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.faults.codes import NO_CODE, encode
from milepost_server.signals.faults.systems import shipped_systems

COLUMNS = ("code", "manufacturer", "description", "generic")
TEXTS_MAX = 500_000
TEXT_CHARS_MAX = 1_000
GENERIC = ""
"""The maker of a text that holds for every maker."""

_SAME_MAKER = {"chevrolet": "chevy", "vw": "volkswagen", "mercedesbenz": "mercedes", "generalmotors": "gm"}


@dataclass(frozen=True, slots=True)
class FaultTexts:
    """Texts of codes by maker; ``texts()`` without any falls back on what comes with the product."""

    by_maker: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(maker as `maker_key` has it, code) -> text."""

    def title(self, code: str, make: str) -> str:
        """What ``code`` is called on a car of ``make``; never empty.

        Raises:
            ValueError: ``code`` is no trouble code.
        """
        for key in ((maker_key(make), code), (GENERIC, code)):
            if key in self.by_maker:
                return self.by_maker[key]
        number = int(encode([code])[0])
        if number == NO_CODE:
            raise ValueError(f"{code!r} is no trouble code")
        words = shipped_systems().of(number).words
        return shipped_titles().get(code) or f"{words[0].upper()}{words[1:]}: fault {code}"


def maker_key(make: str) -> str:
    """A maker's name as texts are looked up by: ``Mercedes-Benz`` and ``MERCEDES`` are the same."""
    plain = "".join(letter for letter in make.casefold() if letter.isalnum())
    return _SAME_MAKER.get(plain, plain)


def parse_texts(lines: Iterable[str], name: str) -> FaultTexts:
    """Read a file of texts; ``name`` is what errors call it. Of two texts for the same key the first holds.

    Raises:
        DataFileError: another header, a line with too few or too many fields, no code, an empty or overlong
            text, more than ``TEXTS_MAX`` lines; the place says which line.
    """
    reader = csv.reader(lines, strict=True)
    texts: dict[tuple[str, str], str] = {}
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            raise DataFileError(name, "line 1", f"the header must be {','.join(COLUMNS)}, not {header}")
        for row in reader:
            if not row:
                continue
            place = f"line {reader.line_num}"
            if len(texts) >= TEXTS_MAX:
                raise DataFileError(name, place, f"more than {TEXTS_MAX:,} texts")
            key, text = _entry(row, name, place)
            texts.setdefault(key, text)
    except csv.Error as error:
        raise DataFileError(name, f"line {reader.line_num}", f"is no CSV: {error}") from None
    return FaultTexts(texts)


def _entry(row: list[str], name: str, place: str) -> tuple[tuple[str, str], str]:
    if len(row) != len(COLUMNS):
        raise DataFileError(
            name, place, f"has {len(row)} fields, not {len(COLUMNS)}; quote texts with commas"
        )
    code, make, text, generic = (value.strip() for value in row)
    if int(encode([code])[0]) == NO_CODE:
        raise DataFileError(name, place, f"{code[:20]!r} is no trouble code; one looks like P0301")
    if generic not in ("0", "1"):
        raise DataFileError(name, place, f"generic must be 0 or 1, not {generic[:20]!r}")
    if not text or len(text) > TEXT_CHARS_MAX:
        raise DataFileError(name, place, f"the text must have 1 to {TEXT_CHARS_MAX} characters")
    if generic == "0" and not make:
        raise DataFileError(name, place, "a text that is not generic needs a manufacturer")
    return (GENERIC if generic == "1" else maker_key(make), code), text


def read_texts(content: bytes, name: str) -> FaultTexts:
    """Read the bytes of a file of texts (UTF-8, with or without a byte order mark).

    Raises:
        DataFileError: as `parse_texts`, and for bytes that are no UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataFileError(name, f"line {line}", "is no UTF-8; save it as UTF-8") from None
    return parse_texts(io.StringIO(text, newline=""), name)


@cache
def shipped_titles() -> dict[str, str]:
    """Our own short titles of the most frequent generic codes, by code."""
    text = (resources.files(__package__) / "titles.toml").read_text(encoding="utf-8")
    titles: dict[str, str] = tomllib.loads(text)["titles"]
    return titles

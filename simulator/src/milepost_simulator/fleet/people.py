"""Names and contacts of people who do not exist.

Telephone numbers are from the ranges that regulators keep for fiction, mail addresses from the domains
that are kept for examples.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Person(NamedTuple):
    """An owner as the dealer knows them."""

    name: str
    email: str
    phone: str


class _Country(NamedTuple):
    phone: str
    """A pattern within the country's range for fiction; ``{}`` takes ``digits`` digits."""
    digits: int
    given: tuple[str, ...]
    family: tuple[str, ...]


_UK = "+44 7700 900{:03d}"
_US = "+1 202 555 01{:02d}"
_FR = "+33 6 39 98 00 {:02d}"
_AU = "+61 2 5550 01{:02d}"

_COUNTRIES = (
    _Country(
        _UK,
        3,
        ("Amelia", "Oliver", "Isla", "George", "Freya", "Harry", "Niamh", "Rhys", "Catriona", "Ewan"),
        ("Hartwell", "Ashdown", "Pemberton", "Lockwood", "Fairbairn", "Llewellyn", "McAllister", "Thorne"),
    ),
    _Country(
        _US,
        2,
        ("Madison", "Tyler", "Jasmine", "Carlos", "Aaliyah", "Marcus", "Emily", "Diego", "Grace", "Logan"),
        ("Whitaker", "Delgado", "Kowalski", "Freeman", "Castellano", "Brooks", "Nakamura", "Hollis"),
    ),
    _Country(
        _FR,
        2,
        ("Camille", "Julien", "Inès", "Théo", "Manon", "Bastien", "Aïcha", "Noé", "Élodie", "Rémi"),
        ("Lefèvre", "Garnier", "Benali", "Rousseau", "Chevalier", "Morvan", "Dupuis", "Keller"),
    ),
    _Country(
        _AU,
        2,
        ("Matilda", "Jarrah", "Priya", "Angus", "Thuy", "Lachlan", "Mei", "Kirra", "Sanjay", "Bronte"),
        ("Nguyen", "Patel", "Callahan", "Sharma", "Barrington", "Zhang", "Okafor", "Sorensen"),
    ),
    _Country(
        _UK,
        3,
        ("Ngozi", "Tunde", "Chiamaka", "Kwame", "Abena", "Femi", "Zainab", "Kofi", "Folake", "Yusuf"),
        ("Okonkwo", "Mensah", "Adeyemi", "Boateng", "Balogun", "Owusu", "Eze", "Danjuma"),
    ),
    _Country(
        _US,
        2,
        ("Matteo", "Ingrid", "Katarzyna", "Henrik", "Giulia", "Tomáš", "Sofía", "Lars", "Anneke", "João"),
        ("Rossi", "Lindqvist", "Nowak", "Novák", "Fernández", "de Vries", "Almeida", "Hansen"),
    ),
)
DOMAINS = ("example.com", "example.org", "example.net")


def draw_people(rng: np.random.Generator, count: int, first_number: int) -> list[Person]:
    """``count`` people; ``first_number`` keeps mail addresses apart across blocks."""
    return [_draw(rng, first_number + index) for index in range(count)]


def _draw(rng: np.random.Generator, number: int) -> Person:
    country = _COUNTRIES[int(rng.integers(len(_COUNTRIES)))]
    given = country.given[int(rng.integers(len(country.given)))]
    family = country.family[int(rng.integers(len(country.family)))]
    domain = DOMAINS[int(rng.integers(len(DOMAINS)))]
    phone = country.phone.format(int(rng.integers(10**country.digits)))
    return Person(f"{given} {family}", f"{_ascii(given)}.{_ascii(family)}.{number + 1}@{domain}", phone)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalpha())

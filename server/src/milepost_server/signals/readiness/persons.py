"""Keeps out what a model must not know: who somebody is and where somebody lives, by the names of columns.

Age, gender, income, place and the like are neither used nor guessed from other columns. The age of a car is
not the age of its owner: a column called ``age`` has to say whose it is.
"""

from __future__ import annotations

import re

_PERSON = (
    "birth birthday birthdate birthyear dob gender sex female male race ethnic ethnicity ethnicities "
    "religion religious marital married spouse children household nationality citizenship language "
    "income salary wealth occupation profession employment education disability pregnancy "
    "surname firstname lastname demographic demographics"
)
_PLACE = (
    "address street postcode postal postalcode zip zipcode suburb city town county region province "
    "country neighbourhood neighborhood location latitude longitude lat lon lng gps geohash home "
    "workplace parking trip trips destination"
)
_OF_A_CAR = "vehicle vehicles car cars auto model engine battery tyre tyres tire tires"


def kept_out(name: str, *, of_vehicle: bool = False) -> str | None:
    """Why a column of this name is kept out, None where it is not.

    ``of_vehicle`` is somebody's word that an age is the car's; it opens no other door.
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if found := [word for word in words if word in _PERSON.split()]:
        return f"{found[0]!r} speaks of a person, and a model never uses who somebody is"
    if found := [word for word in words if word in _PLACE.split()]:
        return f"{found[0]!r} speaks of a place, and a model never uses where somebody lives or drives"
    if {"age", "ages", "aged"} & set(words) and not (of_vehicle or set(_OF_A_CAR.split()) & set(words)):
        return 'it may be the age of a person; where it is that of the car, say so with of = "vehicle"'
    return None

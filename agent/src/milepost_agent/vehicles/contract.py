"""What each profile must keep: its questions only read, and its examples give the values that they name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ProfileError, ReplyError
from milepost_agent.sources.obd.messages import Framing, Message, answers
from milepost_agent.sources.obd.readonly import check_request
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_agent.vehicles.profile import Example, Read, VehicleProfile
    from milepost_protocol.signals import Value

TOLERANCE: Final = 1e-6


def check_profile(profile: VehicleProfile) -> None:
    """Check all that can be checked without a car, and without a DBC file.

    Raises:
        ProfileError: the profile breaks the contract; the message says where and how.
    """
    names = [unit.name for unit in profile.units]
    keys = [read.key for read in profile.reads]
    for what in (names, keys, [str(unit.response) for unit in profile.units]):
        for one in what:
            if what.count(one) > 1:
                raise ProfileError(profile.name, one, "is there twice")
    answers_on = {unit.response: unit.name for unit in profile.units}
    for unit in profile.units:
        if unit.request in answers_on:
            why = f"is asked on {unit.request}, on which {answers_on[unit.request]} answers"
            raise ProfileError(profile.name, unit.name, why)
    for read in profile.reads:
        check_request(bytes.fromhex(read.command))
        _check_examples(profile.name, read)


def _check_examples(name: str, read: Read) -> None:
    request = bytes.fromhex(read.command)
    for number, example in enumerate(read.examples, start=1):
        place = f"{read.key} example {number}"
        if example.request != read.command:
            raise ProfileError(name, place, f"asks {example.request}, the profile asks {read.command}")
        if not answers(request, example.response):
            raise ProfileError(name, place, f"answers {example.response.hex()}, which is no answer to it")
        try:
            found = dict(read.decode([Message(str(read.unit.response), example.response, Framing.CAN)]))
        except ReplyError as error:
            raise ProfileError(name, place, str(error)) from error
        compare(name, place, example, found)
    wanted = (field.conversion.signal for field in read.fields)
    check_covered(name, read.key, wanted, read.examples)


def compare(name: str, place: str, example: Example, found: Mapping[str, Value]) -> None:
    """Check that ``found`` is what ``example`` says, and that the catalogue takes it.

    Raises:
        ProfileError: it is not.
    """
    wanted = {signal: value for signal, value in example.values.items() if not _is_none(value)}
    if wanted.keys() != found.keys():
        raise ProfileError(name, place, f"gives {sorted(found)}, not {sorted(wanted)}")
    for signal, value in found.items():
        if not _is_same(value, wanted[signal]):
            raise ProfileError(name, place, f"gives {value!r} for {signal}, not {wanted[signal]!r}")
        try:
            catalogue()[signal].check(value)
        except ValueRefusedError as error:
            raise ProfileError(name, place, str(error)) from error


def check_covered(name: str, place: str, signals: Iterable[str], examples: Iterable[Example]) -> None:
    """Check that some example has a value for each of ``signals``.

    Raises:
        ProfileError: none has.
    """
    shown = {
        signal for example in examples for signal, value in example.values.items() if not _is_none(value)
    }
    for signal in signals:
        if signal not in shown:
            raise ProfileError(name, place, f"has no example with a value of {signal}")


def _is_none(value: object) -> bool:
    """TOML has no null: the text "none" in an example means that no value comes."""
    return value == "none"


def _is_same(value: Value, wanted: object) -> bool:
    if isinstance(value, bool | str) or isinstance(wanted, bool | str):
        return value == wanted
    return isinstance(wanted, int | float) and math.isclose(
        value, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE
    )

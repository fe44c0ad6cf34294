"""What a car says by itself: frames decoded by a DBC file, and mapped to signals by the vehicle profile.

cantools is loaded only here, and only where a profile has something to listen to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ProfileError, SourceConfigError
from milepost_agent.readings import Reading
from milepost_agent.sources.obd.addresses import CanId
from milepost_agent.vehicles.contract import check_covered, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cantools.database.can import Database, Message

    from milepost_agent.sources.can.gate import Frame
    from milepost_agent.vehicles.profile import Listen, VehicleProfile

DBC_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class _Heard:
    """A frame of the DBC file, what is wanted of it, and when it was read last."""

    message: Message
    wanted: tuple[Listen, ...]
    read_at_s: list[float] = field(default_factory=list)


class Listener:
    """Turns frames into readings. Counts frames that do not decode (``garbled``) and values that are none."""

    def __init__(self, frames: dict[CanId, _Heard]) -> None:
        self._frames = frames
        self.garbled = 0
        self.invalid = 0

    @property
    def ids(self) -> frozenset[CanId]:
        """The frames that it wants to hear."""
        return frozenset(self._frames)

    def readings(self, frame: Frame, mono_s: float) -> list[Reading]:
        """The readings in ``frame``, heard at ``mono_s``; each signal no more often than its interval."""
        heard = self._frames.get(frame.id)
        if heard is None:
            return []
        due = [n for n, one in enumerate(heard.wanted) if mono_s - heard.read_at_s[n] >= one.interval_s]
        if not due:
            return []
        numbers = _decode(heard.message, frame.data)
        if numbers is None:
            self.garbled += 1
            return []
        readings = []
        for n in due:
            listen = heard.wanted[n]
            if listen.signal not in numbers:
                continue  # a multiplexed signal, whose turn comes with another frame
            value = listen.conversion.value(numbers[listen.signal])
            if value is None:
                self.invalid += 1
                continue
            heard.read_at_s[n] = mono_s
            readings.append(Reading(listen.conversion.signal, value, mono_s))
        return readings


def _decode(message: Message, data: bytes) -> dict[str, float] | None:
    """The numbers in a frame, by signal; ``None`` where it is too short or its multiplexer is unknown."""
    from cantools.database.errors import DecodeError  # noqa: PLC0415

    try:
        decoded = message.decode_simple(data, decode_choices=False)
    except (DecodeError, ValueError):
        return None
    found = decoded.items()
    return {name: float(v) for name, v in found if isinstance(v, int | float) and math.isfinite(v)}


def no_listener() -> Listener:
    """A listener that wants nothing."""
    return Listener({})


def open_listener(profile: VehicleProfile, files: Sequence[str]) -> Listener:
    """A listener for what ``profile`` names in its own DBC file and in ``files``.

    Raises:
        SourceConfigError: a file cannot be read.
        ProfileError: a frame or signal is in none of them, or an example does not give what it says.
    """
    if not profile.listens:
        return no_listener()
    database = _database(profile, files)
    frames: dict[CanId, _Heard] = {}
    for listen in profile.listens:
        message = _message(profile.name, database, listen)
        _check_examples(profile.name, message, listen)
        heard = frames.setdefault(CanId(message.frame_id, message.is_extended_frame), _Heard(message, ()))
        heard.wanted = (*heard.wanted, listen)
        heard.read_at_s.append(-math.inf)
    return Listener(frames)


def _database(profile: VehicleProfile, files: Sequence[str]) -> Database:
    import textparser  # noqa: PLC0415
    from cantools.database.can import Database  # noqa: PLC0415
    from cantools.database.errors import Error  # noqa: PLC0415

    database = Database(strict=False)
    for name, text in (*((file, None) for file in files), (f"DBC file of {profile.name}", profile.dbc)):
        try:
            if text is None:
                if Path(name).stat().st_size > DBC_BYTES_MAX:
                    raise SourceConfigError("dbc", f"{name} is longer than {DBC_BYTES_MAX >> 20} MB")
                database.add_dbc_file(name, encoding="cp1252")
            elif text:
                database.add_dbc_string(text)
        except (OSError, ValueError, textparser.Error, Error) as error:
            raise SourceConfigError("dbc", f"{name} cannot be read: {error}") from error
    return database


def _message(name: str, database: Database, listen: Listen) -> Message:
    place = f"listen {listen.frame}.{listen.signal}"
    try:
        message = database.get_message_by_name(listen.frame)
    except KeyError:
        raise ProfileError(name, place, "is in no DBC file: there is no such frame; see dbc") from None
    if listen.signal not in message.signal_tree and not any(s.name == listen.signal for s in message.signals):
        known = ", ".join(signal.name for signal in message.signals)
        raise ProfileError(name, place, f"is in no DBC file: the frame has {known}")
    return message


def _check_examples(name: str, message: Message, listen: Listen) -> None:
    place = f"listen {listen.frame}.{listen.signal}"
    for number, example in enumerate(listen.examples, start=1):
        numbers = _decode(message, example.response)
        if numbers is None or listen.signal not in numbers:
            raise ProfileError(name, f"{place} example {number}", "cannot be decoded")
        value = listen.conversion.value(numbers[listen.signal])
        found = {} if value is None else {listen.conversion.signal: value}
        compare(name, f"{place} example {number}", example, found)
    check_covered(name, place, [listen.conversion.signal], listen.examples)

"""What is written to an adapter: its own commands from a list, and requests that only read. Pure.

Every line passes ``CommandGate.check``, in ``adapter.Adapter``, the one place that writes. What an adapter
sends beyond the requests that it was given: flow control for long answers, and the initialisation of a bus
before CAN. Keep-alives of such a bus it would send by itself; ``ATSW00`` ends that. Nothing here listens to
all that is said (ATMA), sends raw frames (ATCAF0), wakes, or changes what an adapter keeps (ATPP, AT@3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ReadOnlyError
from milepost_agent.sources.obd.addresses import FUNCTIONAL, FUNCTIONAL_EXTENDED
from milepost_agent.sources.obd.readonly import check_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.sources.obd.addresses import CanId
    from milepost_agent.vehicles.profile import Unit

RESET: Final = "ATZ"
ECHO: Final = "ATE1"
"""Echo on: a line is carried out only after the adapter has shown that it arrived whole."""
FRAMED: Final = "ATCAF1"
"""Requests go out as frames of ISO-TP: without it the bytes 01 04 would be a request to clear all codes."""
NO_KEEP_ALIVE: Final = "ATSW00"
SETUP: Final = ("ATL0", "ATS0", "ATH1", FRAMED, NO_KEEP_ALIVE, "ATAT1")
"""Line feeds off, spaces off, headers on, framing, no keep-alives, adaptive timing."""
REQUIRED: Final = frozenset({ECHO, FRAMED})
"""Settings that no adapter may refuse; a copy may not know the others."""
SET_PROTOCOL: Final = "ATSP"
TELL_PROTOCOL: Final = "ATDPN"
CLOSE_PROTOCOL: Final = "ATPC"
READ_VOLTAGE: Final = "ATRV"
LOW_POWER: Final = "ATLP"
SPOIL: Final = "ZZZZ"
"""No command of any kind: whatever stands before it in the line is answered with a question mark."""

HEAR_ALL: Final = "ATAR"
OWN_FLOW: Final = "ATFCSM1"
ADAPTERS_FLOW: Final = "ATFCSM0"
FLOW_DATA: Final = "ATFCSD300001"
"""Flow control: let all come, with a millisecond between two frames."""
FIXED: Final = frozenset(
    {
        RESET,
        ECHO,
        *SETUP,
        TELL_PROTOCOL,
        CLOSE_PROTOCOL,
        READ_VOLTAGE,
        LOW_POWER,
        SPOIL,
        HEAR_ALL,
        OWN_FLOW,
        ADAPTERS_FLOW,
        FLOW_DATA,
    }
)
_PROTOCOL = re.compile(f"{SET_PROTOCOL}[0-9A-C]")
CAN_11: Final = frozenset("68")
CAN_29: Final = frozenset("79")


class CommandGate:
    """What may be written: the agent's own commands, requests that read, and addresses of ``units``."""

    def __init__(self, units: Iterable[Unit] = ()) -> None:
        self._known = FIXED | {
            line for unit in units for line in (*turn_to(unit), *turn_back(is_extended=is_extended(unit)))
        }

    def check(self, line: str) -> str:
        """``line``, if it may be written.

        Raises:
            ReadOnlyError: it might make the adapter do more than read; it was not sent.
        """
        if line in self._known or _PROTOCOL.fullmatch(line):
            return line
        if not re.fullmatch("(?:[0-9A-F]{2})+", line):
            raise ReadOnlyError(line, "is no command that an adapter may be given")
        check_request(bytes.fromhex(line))
        return line


def turn_to(unit: Unit) -> tuple[str, ...]:
    """The settings with which one unit is asked, and it alone is heard."""
    flow = f"ATFCSH{unit.request}"
    return (*_header(unit.request), f"ATCRA{unit.response}", flow, FLOW_DATA, OWN_FLOW)


def turn_back(*, is_extended: bool) -> tuple[str, ...]:
    """The settings with which all units are asked and heard again."""
    return (ADAPTERS_FLOW, HEAR_ALL, *_header(FUNCTIONAL_EXTENDED if is_extended else FUNCTIONAL))


def is_extended(unit: Unit) -> bool:
    """Whether a unit is asked with 29 bits."""
    return unit.request.is_extended


def _header(target: CanId) -> tuple[str, ...]:
    """The settings of an identifier: with 29 bits its first five are one of their own."""
    digits = str(target)
    return (f"ATCP{digits[:2]}", f"ATSH{digits[2:]}") if target.is_extended else (f"ATSH{digits}",)


def parse_protocol(line: str) -> bool | None:
    """Whether identifiers have 29 bits, by the answer to AT DPN (``A6``, ``7``); ``None`` before CAN."""
    number = line[-1:]
    return number in CAN_29 if number in CAN_11 | CAN_29 else None

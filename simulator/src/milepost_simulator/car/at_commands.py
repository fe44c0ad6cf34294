"""What an ELM327 does on commands that begin with AT: its settings, and what it says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_simulator.car.framing import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_UNIT_S = 0.004
TIMEOUT_DEFAULT = 0x32
OK = "OK"
UNKNOWN = "?"
DESCRIPTION = "OBDII to RS232 Interpreter"


@dataclass(slots=True)
class Settings:
    """What survives between two commands; ATD and ATZ make it new."""

    echo: bool = True
    linefeeds: bool = False
    spaces: bool = True
    headers: bool = False
    auto_format: bool = True
    adaptive_timing: int = 1
    timeout: int = TIMEOUT_DEFAULT
    protocol: Protocol | None = None
    searches: bool = True
    request_header: str | None = None
    priority: str = "18"
    receive_filter: str | None = None
    own_flow: bool = False
    flow_header: str = ""
    flow_data: str = ""
    keeps_alive: bool = True
    device_id: str = ""

    @property
    def timeout_s(self) -> float:
        """How long the adapter waits for an answer before it says NO DATA."""
        return max(self.timeout, 1) * TIMEOUT_UNIT_S

    @property
    def end_of_line(self) -> str:
        """Carriage return, with a line feed where ATL1 asked for it."""
        return "\r\n" if self.linefeeds else "\r"


_FLAGS = {"E": "echo", "L": "linefeeds", "S": "spaces", "H": "headers", "CAF": "auto_format"}

# Settings of a real adapter that change nothing here: accepted, so that no reader has to know this one.
_ACCEPTED = re.compile(
    r"(AL|NL|BI|BD|LP|SS|FE|M[01]|R[01]|V[01]|D[01]|CFC[01]|CSM[01]|KW[01]|JS|JE|JHF[01]|JTM[15]|"
    r"CEA([0-9A-F]{2})?|CF[0-9A-F]{3,8}|CM[0-9A-F]{3,8}|CV[0-9A-F]{4}|IB(10|12|15|48|96)|IIA[0-9A-F]{2}|"
    r"PP([0-9A-F]{2}|FF)(ON|OFF|SV[0-9A-F]{2})|SR[0-9A-F]{2}|TA[0-9A-F]{2}|WM[0-9A-F]+|"
    r"BRD[0-9A-F]{2}|BRT[0-9A-F]{2}|RTR|FI|SI)"
)


class AtCommands:
    """Interprets AT commands against one `Settings`.

    Args:
        version: what ATI says, such as 'ELM327 v1.5'.
        voltage_v: measures pin 16 now.
        is_ignition_on: reads the ignition input now.
    """

    def __init__(
        self, version: str, voltage_v: Callable[[], float], is_ignition_on: Callable[[], bool]
    ) -> None:
        self.settings = Settings()
        self._version = version
        self._voltage_v = voltage_v
        self._is_ignition_on = is_ignition_on
        self._exact: dict[str, Callable[[], str]] = {
            "I": lambda: self._version,
            "@1": lambda: DESCRIPTION,
            "@2": lambda: self.settings.device_id or UNKNOWN,
            "D": self._defaults,
            "DP": self._describe_protocol,
            "DPN": self._protocol_number,
            "RV": lambda: f"{self._voltage_v():.1f}V",
            "IGN": lambda: "ON" if self._is_ignition_on() else "OFF",
            "PC": self._close_protocol,
            "CRA": lambda: self._set("receive_filter", None),
            "AR": lambda: self._set("receive_filter", None),
            "FCSM0": lambda: self._set("own_flow", False),
            "FCSM1": self._own_flow,
            "CS": lambda: "T:00 R:00",
            "KW": lambda: "1:08 2:08",
            "PPS": lambda: "00:FF F  01:FF F  02:FF F  03:32 F",
        }
        self._patterns: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
            (re.compile(r"(E|L|S|H|CAF)[01]"), self._flag),
            (re.compile(r"AT[012]"), lambda c: self._set("adaptive_timing", int(c[2:]))),
            (re.compile(r"ST[0-9A-F]{2}"), self._timeout),
            (re.compile(r"[ST]PA?[0-9A-C]|[ST]P[0-9A-C]A"), self._select_protocol),
            (re.compile(r"SH[0-9A-F]{3}([0-9A-F]{3}([0-9A-F]{2})?)?"), self._header),
            (re.compile(r"CRA[0-9A-F]{3}([0-9A-F]{5})?"), lambda c: self._set("receive_filter", c[3:])),
            (re.compile(r"CP[0-9A-F]{2}"), lambda c: self._set("priority", c[2:])),
            (re.compile(r"FCSH[0-9A-F]{3}([0-9A-F]{5})?"), lambda c: self._set("flow_header", c[4:])),
            (re.compile(r"FCSD[0-9A-F]{2,10}"), lambda c: self._set("flow_data", c[4:])),
            (re.compile(r"SW[0-9A-F]{2}"), lambda c: self._set("keeps_alive", c != "SW00")),
            (re.compile(r"@3\S{12}"), lambda c: self._set("device_id", c[2:])),
            (_ACCEPTED, lambda _: OK),
        )

    def reset(self) -> str:
        """ATZ and ATWS: all settings as after power on; the device id stays."""
        self.settings = Settings(device_id=self.settings.device_id)
        return self._version

    def run(self, command: str) -> str:
        """The adapter's answer to ``command``, which comes without AT, in capitals, without spaces."""
        exact = self._exact.get(command)
        if exact is not None:
            return exact()
        for pattern, handler in self._patterns:
            if pattern.fullmatch(command):
                return handler(command)
        return UNKNOWN

    def _set(self, name: str, value: object) -> str:
        setattr(self.settings, name, value)
        return OK

    def _defaults(self) -> str:
        self.reset()
        return OK

    def _flag(self, command: str) -> str:
        return self._set(_FLAGS[command[:-1]], command[-1] == "1")

    def _timeout(self, command: str) -> str:
        return self._set("timeout", int(command[2:], 16) or TIMEOUT_DEFAULT)

    def _select_protocol(self, command: str) -> str:
        digits = command[2:]
        number = int(digits.replace("A", "", 1) if len(digits) > 1 else digits, 16)
        if number and number not in PROTOCOLS:
            return UNKNOWN
        self.settings.searches = number == 0 or len(digits) > 1
        self.settings.protocol = PROTOCOLS.get(number)
        return OK

    def _header(self, command: str) -> str:
        return self._set("request_header", command[2:])

    def _own_flow(self) -> str:
        known = self.settings.flow_header and self.settings.flow_data
        return self._set("own_flow", True) if known else UNKNOWN

    def _close_protocol(self) -> str:
        if self.settings.searches:
            self.settings.protocol = None
        return OK

    def _describe_protocol(self) -> str:
        known = self.settings.protocol
        if not self.settings.searches:
            return known.text if known else "AUTO"
        return f"AUTO, {known.text}" if known else "AUTO"

    def _protocol_number(self) -> str:
        number = self.settings.protocol.number if self.settings.protocol else 0
        return f"A{number:X}" if self.settings.searches else f"{number:X}"

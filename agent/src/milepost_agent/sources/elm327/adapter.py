"""One adapter on one open port: a command goes out, the text before the next prompt comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import AdapterError
from milepost_agent.sources.elm327.framing import ReplyReader
from milepost_agent.sources.elm327.reply import text_lines
from milepost_agent.sources.obd.readonly import check_request

if TYPE_CHECKING:
    from milepost_agent.sources.elm327.port import Port

RESET: Final = "ATZ"
SETUP: Final = ("ATE0", "ATL0", "ATS0", "ATH1", "ATAT1")
"""Echo off, line feeds off, spaces off, headers on, adaptive timing. A copy may refuse any but the first."""
SET_PROTOCOL: Final = "ATSP"
CLOSE_PROTOCOL: Final = "ATPC"
READ_VOLTAGE: Final = "ATRV"
LOW_POWER: Final = "ATLP"
INTERRUPT: Final = b" "
"""Any character stops a running request; this one is ignored when none runs."""
TIMEOUTS_MAX: Final = 3
SETTING_TRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class AdapterTimes:
    """Seconds to wait for a prompt: after a reset, a setting, a request, and a search for the bus.

    ``quiet_s`` without a byte ends what an interrupted request still says, ``drain_s_max`` bounds it.
    """

    reset_s_max: float = 5.0
    setting_s_max: float = 2.0
    request_s_max: float = 3.0
    search_s_max: float = 20.0
    quiet_s: float = 0.2
    drain_s_max: float = 2.0


class Adapter:
    """Speaks with an ELM327. Counts timeouts, truncated replies, and settings that it refused."""

    def __init__(self, port: Port, times: AdapterTimes) -> None:
        self._port = port
        self._times = times
        self._reader = ReplyReader()
        self._timeouts_in_a_row = 0
        self.timeouts = 0
        self.truncated = 0
        self.unknown_settings: list[str] = []

    async def wake(self) -> None:
        """Wake an adapter that may sleep: it takes the first character for that alone.

        Raises:
            PortError: the port is gone.
        """
        await self._interrupt()

    async def initialise(self, protocol: str) -> None:
        """Reset and set up; ``protocol`` is the ELM327's number for it, 0 to search.

        Raises:
            AdapterError: silent, or not an ELM327.
            PortError: the port is gone.
        """
        self.unknown_settings.clear()
        await self.ask(RESET, self._times.reset_s_max)
        for command in (*SETUP, f"{SET_PROTOCOL}{protocol}"):
            why = await self._set(command)
            if why is None:
                continue
            if command == SETUP[0]:
                raise AdapterError(command, f"answered {why}, which no ELM327 does; check port and baud")
            self.unknown_settings.append(command)

    async def _set(self, command: str) -> str | None:
        """Make one setting, against a bad line too; ``None``, or what was answered instead of OK."""
        lines: list[str] = []
        for _ in range(SETTING_TRIES_MAX):
            lines = text_lines(command, await self.ask(command, self._times.setting_s_max))
            if "OK" in lines:
                return None
        return repr(lines[:3])[:64]

    async def request(self, command: str, *, search: bool = False) -> str:
        """The text that answers an OBD request, "" where the adapter gave no prompt in time.

        Raises:
            ReadOnlyError: the request might do more than read; it was not sent.
            AdapterError: silent ``TIMEOUTS_MAX`` times in a row.
            PortError: the port is gone.
        """
        check_request(bytes.fromhex(command))
        return await self.ask(command, self._times.search_s_max if search else self._times.request_s_max)

    async def voltage_v(self) -> float | None:
        """The battery voltage at the adapter, which does not wake the bus; ``None`` where it cannot tell.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        return parse_voltage(await self.ask(READ_VOLTAGE, self._times.setting_s_max))

    async def release_bus(self) -> None:
        """Close the protocol: older buses are kept awake for as long as it is open.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        await self.ask(CLOSE_PROTOCOL, self._times.setting_s_max)

    async def sleep(self) -> None:
        """Let the adapter draw little until the next character; one that cannot says so and stays awake.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        await self.ask(LOW_POWER, self._times.setting_s_max)

    async def ask(self, command: str, timeout_s: float) -> str:
        """Send ``command`` and wait for its prompt; "" where none comes in time.

        Raises:
            AdapterError: silent ``TIMEOUTS_MAX`` times in a row.
            PortError: the port is gone.
        """
        self._reader.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._port.write(command.encode("ascii") + b"\r")
                text = await self._until_prompt()
        except TimeoutError:
            self._note_timeout(command)
            await self._interrupt()
            return ""
        self._timeouts_in_a_row = 0
        return text

    async def _until_prompt(self) -> str:
        while True:
            replies = self._reader.feed(await self._port.read())
            if replies:
                self.truncated += sum(reply.truncated for reply in replies)
                return replies[-1].text

    def _note_timeout(self, command: str) -> None:
        self.timeouts += 1
        self._timeouts_in_a_row += 1
        if self._timeouts_in_a_row >= TIMEOUTS_MAX:
            raise AdapterError(
                command, f"no prompt, {TIMEOUTS_MAX} times in a row; is the adapter plugged in?"
            )

    async def _interrupt(self) -> None:
        """Stop what runs and read it away: a late answer must not pass for that of the next request."""
        try:
            async with asyncio.timeout(self._times.drain_s_max):
                await self._port.write(INTERRUPT)
                while True:
                    async with asyncio.timeout(self._times.quiet_s):
                        await self._port.read()
        except TimeoutError:
            self._reader.clear()


def parse_voltage(text: str) -> float | None:
    """The volts in an answer to AT RV, such as ``12.6V``; ``None`` where there are none."""
    for line in text_lines(READ_VOLTAGE, text):
        try:
            volts = float(line.removesuffix("V"))
        except ValueError:
            continue
        if 0.0 < volts < 32.0:
            return volts
    return None

"""One adapter on one open port: a command goes out, the text before the next prompt comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import AdapterError
from milepost_agent.sources.elm327.commands import (
    CLOSE_PROTOCOL,
    ECHO,
    LOW_POWER,
    READ_VOLTAGE,
    REQUIRED,
    RESET,
    SET_PROTOCOL,
    SETUP,
    SPOIL,
    TELL_PROTOCOL,
    CommandGate,
    is_extended,
    parse_protocol,
    turn_back,
    turn_to,
)
from milepost_agent.sources.elm327.framing import ReplyReader
from milepost_agent.sources.elm327.reply import Notice, text_lines

if TYPE_CHECKING:
    from milepost_agent.sources.elm327.port import Port
    from milepost_agent.vehicles.profile import Unit

TIMEOUTS_MAX: Final = 3
SETTING_TRIES_MAX: Final = 3
TYPING_TRIES_MAX: Final = 3
RETURN: Final = b"\r"
UNKNOWN: Final = Notice.UNKNOWN_COMMAND.value


@dataclass(frozen=True, slots=True)
class AdapterTimes:
    """Seconds to wait for a prompt: after a reset, a setting, a request, and a search for the bus.

    ``echo_s_max`` for the echo of what was typed; ``quiet_s`` without a byte ends what an interrupted
    request still says, ``drain_s_max`` bounds it.
    """

    reset_s_max: float = 5.0
    setting_s_max: float = 2.0
    request_s_max: float = 3.0
    search_s_max: float = 20.0
    echo_s_max: float = 0.5
    quiet_s: float = 0.2
    drain_s_max: float = 2.0


class Adapter:
    """Speaks with an ELM327.

    A line that loses a character on its way may become another one: ``0142`` without its 1 is service 04,
    which clears all codes. So a line is typed, and carried out only when its echo shows it whole; of an
    adapter that does not echo what is typed (``echoes``) that cannot be known.

    Counts timeouts, truncated replies, lines that arrived ``mangled``, and settings that it refused.
    """

    def __init__(self, port: Port, times: AdapterTimes, gate: CommandGate | None = None) -> None:
        self.gate = CommandGate() if gate is None else gate
        self._port = port
        self._times = times
        self._reader = ReplyReader()
        self._timeouts_in_a_row = 0
        self._unit: Unit | None = None
        self.echoes = False
        self.timeouts = 0
        self.truncated = 0
        self.mangled = 0
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
        self._unit = None
        self.echoes = False
        await self._ask(RESET, self._times.reset_s_max)
        await self._require(ECHO)
        self.echoes = await self._does_echo()
        for command in (*SETUP, f"{SET_PROTOCOL}{protocol}"):
            await self._require(command)

    async def _require(self, command: str) -> None:
        """Make one setting; note that it is not known, where the adapter may do without.

        Raises:
            AdapterError: it may not.
        """
        why = await self._set(command)
        if why is None:
            return
        if command in REQUIRED:
            raise AdapterError(command, f"answered {why}, which no ELM327 does; check port and baud")
        self.unknown_settings.append(command)

    async def _does_echo(self) -> bool:
        """Whether the adapter echoes characters as they come."""
        echo = ""
        try:
            async with asyncio.timeout(self._times.setting_s_max):
                await self._write(ECHO)
                echo = await self._echo(ECHO)
                await self._port.write(RETURN)
                await self._until_prompt()
        except TimeoutError:
            await self._interrupt()
        return bool(echo)

    async def _set(self, command: str) -> str | None:
        """Make one setting, against a bad line too; ``None``, or what was answered instead of OK."""
        lines: list[str] = []
        for _ in range(SETTING_TRIES_MAX):
            lines = text_lines(command, await self._ask(command, self._times.setting_s_max))
            if "OK" in lines:
                return None
        return repr(lines[:3])[:64]

    async def request(self, command: str, unit: Unit | None = None, *, search: bool = False) -> str:
        """The text that answers a request to all units, or to ``unit`` on CAN.

        It is "" where the adapter gave no prompt in time, or cannot be turned to that unit.

        Raises:
            ReadOnlyError: the request might do more than read; it was not sent.
            AdapterError: silent ``TIMEOUTS_MAX`` times in a row, or a line that garbles what is typed.
            PortError: the port is gone.
        """
        self.gate.check(command)
        if unit != self._unit and not await self._turn(unit):
            return ""
        return await self._ask(command, self._times.search_s_max if search else self._times.request_s_max)

    async def _turn(self, unit: Unit | None) -> bool:
        """Turn from the unit that is asked now to another one, or to all (``None``); whether that was done.

        Raises:
            AdapterError: it cannot be turned back to all units; a reset will.
        """
        before, self._unit = self._unit, None
        if before is not None:
            for command in turn_back(is_extended=is_extended(before)):
                why = await self._set(command)
                if why is not None:
                    raise AdapterError(command, f"answered {why}; all units cannot be asked any more")
        for command in () if unit is None else turn_to(unit):
            self._unit = unit
            why = await self._set(command)
            if why is not None:
                if UNKNOWN in why and command not in self.unknown_settings:
                    self.unknown_settings.append(command)
                await self._turn(None)
                return False
        return True

    async def has_extended_ids(self) -> bool | None:
        """Whether the bus that was found has identifiers of 29 bits; ``None`` where it is no CAN.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        lines = text_lines(TELL_PROTOCOL, await self._ask(TELL_PROTOCOL, self._times.setting_s_max))
        return parse_protocol(lines[0]) if lines else None

    async def voltage_v(self) -> float | None:
        """The battery voltage at the adapter, which does not wake the bus; ``None`` where it cannot tell.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        return parse_voltage(await self._ask(READ_VOLTAGE, self._times.setting_s_max))

    async def release_bus(self) -> None:
        """Close the protocol: older buses are kept awake for as long as it is open.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        await self._ask(CLOSE_PROTOCOL, self._times.setting_s_max)

    async def sleep(self) -> None:
        """Let the adapter draw little until the next character; one that cannot says so and stays awake.

        Raises:
            AdapterError, PortError: as ``request``.
        """
        await self._ask(LOW_POWER, self._times.setting_s_max)

    async def _ask(self, command: str, timeout_s: float) -> str:
        """Send ``command`` and wait for its prompt; "" where none comes in time.

        Raises:
            ReadOnlyError, AdapterError, PortError: as ``request``.
        """
        self._reader.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._type(command)
                await self._port.write(RETURN)
                text = await self._until_prompt()
        except TimeoutError:
            self._note_timeout(command)
            await self._interrupt()
            return ""
        self._timeouts_in_a_row = 0
        return text

    async def _type(self, command: str) -> None:
        """Type ``command`` until the adapter shows that it arrived whole.

        Raises:
            AdapterError: it does not, ``TYPING_TRIES_MAX`` times.
        """
        for _ in range(TYPING_TRIES_MAX):
            await self._write(command)
            if not self.echoes or await self._echo(command) == command:
                return
            self.mangled += 1
            await self._interrupt()
        raise AdapterError(command, f"arrives damaged, {TYPING_TRIES_MAX} times in a row; check the line")

    async def _write(self, command: str) -> None:
        """Write a line, all but its end, if it may be written."""
        await self._port.write(self.gate.check(command).encode("ascii"))

    async def _echo(self, command: str) -> str:
        """What is echoed of ``command``, up to the first character that is not in it."""
        echo = ""
        try:
            async with asyncio.timeout(self._times.echo_s_max):
                while echo != command and command.startswith(echo):
                    said = (await self._port.read()).replace(b"\0", b"").decode("ascii", "replace")
                    # A prompt that came late belongs to what was asked before.
                    echo = (echo + said).rpartition(">")[2].strip()
        except TimeoutError:
            return echo
        return echo

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
        """Stop what runs, spoil what was typed, and read all of it away.

        A late answer must not pass for that of the next request, nor half a line begin the next one.
        """
        try:
            async with asyncio.timeout(self._times.drain_s_max):
                await self._write(SPOIL)
                await self._port.write(RETURN)
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

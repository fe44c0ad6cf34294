"""Cars on real pseudo-terminals and sockets, spoken to with real bytes."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import TYPE_CHECKING

import pytest
import serial

from milepost_simulator.car.chaos import CALM, WILD, Chaos
from milepost_simulator.car.elm327 import PROMPTLY, Elm327, Timing
from milepost_simulator.car.port import serve_pty, serve_tcp
from milepost_simulator.errors import PortInUseError
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_simulator.clock import ManualClock
    from support.cars import StandingCar


@pytest.fixture
def calm() -> Chaos:
    return Chaos(Random(1), CALM)


def typed(port: serial.Serial, command: bytes) -> bytes:
    port.write(command + b"\r")
    return bytes(port.read_until(b">"))


async def asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes, until: bytes = b">"
) -> bytes:
    writer.write(command)
    return await asyncio.wait_for(reader.readuntil(until), WAIT_S_MAX)


async def test_a_serial_reader_talks_to_the_link(elm: Elm327, calm: Chaos, tmp_path: Path) -> None:
    link = tmp_path / "cars" / "one"
    async with serve_pty(elm, calm, link) as path:
        assert path == link
        with serial.Serial(str(link), 38400, timeout=WAIT_S_MAX) as port:
            assert await asyncio.to_thread(typed, port, b"ATZ") == b"ATZ\r\r\rELM327 v1.5\r\r>"
            assert await asyncio.to_thread(typed, port, b"ATE0") == b"ATE0\rOK\r\r>"
            assert await asyncio.to_thread(typed, port, b"010C") == b"SEARCHING...\r41 0C 1A F8 \r\r>"
        with serial.Serial(str(link), 38400, timeout=WAIT_S_MAX) as again:
            assert await asyncio.to_thread(typed, again, b"010D") == b"41 0D 32 \r\r>"
    assert not link.is_symlink()


async def test_a_stale_link_is_taken_over_and_a_file_is_not(elm: Elm327, calm: Chaos, tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    stale.symlink_to("/nowhere")
    async with serve_pty(elm, calm, stale) as path:
        assert path.exists()
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(PortInUseError, match="a file is there"):
        async with serve_pty(elm, calm, file):
            pass
    assert file.read_text() == "precious"


async def test_a_socket_reader_talks_one_at_a_time(elm: Elm327, calm: Chaos) -> None:
    async with serve_tcp(elm, calm, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asked(reader, writer, b"ATE0\r") == b"ATE0\rOK\r\r>"
        second_reader, second_writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(second_reader.read(), WAIT_S_MAX) == b""
        second_writer.close()
        writer.close()
        await writer.wait_closed()
        third_reader, third_writer = await _connect_when_free(port)
        assert await asked(third_reader, third_writer, b"010D\r") == b"SEARCHING...\r41 0D 32 \r\r>"
        third_writer.close()


async def _connect_when_free(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The server notices a goodbye in its own time; until then it hangs up on the next caller."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                if await asked(reader, writer, b"ATI\r") == b"ELM327 v1.5\r\r>":
                    return reader, writer
            writer.close()


async def test_a_taken_port_says_so(elm: Elm327, calm: Chaos) -> None:
    async with serve_tcp(elm, calm, "127.0.0.1", 0) as port:
        with pytest.raises(PortInUseError, match=str(port)):
            async with serve_tcp(elm, calm, "127.0.0.1", port):
                pass


async def test_a_character_during_the_search_stops_it(
    standing: StandingCar, clock: ManualClock, calm: Chaos
) -> None:
    slow = Elm327(standing, clock, timing=Timing(search_s=3600.0))
    async with serve_tcp(slow, calm, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asked(reader, writer, b"ATE0\r")
        assert await asked(reader, writer, b"0100\r", until=b"...\r") == b"SEARCHING...\r"
        assert await asked(reader, writer, b"\r") == b"STOPPED\r\r>"
        assert await asked(reader, writer, b"ATI\r") == b"ELM327 v1.5\r\r>"
        writer.close()


def test_chaos_repeats_by_its_seed_and_does_every_kind(standing: StandingCar, clock: ManualClock) -> None:
    def run(seed: int) -> tuple[list[bytes], Chaos]:
        elm, chaos = Elm327(standing, clock, timing=PROMPTLY), Chaos(Random(seed), WILD)
        answers = [b"".join(o.data for o in chaos.spoil(elm.feed(b"010C\r"))) for _ in range(400)]
        return answers, chaos

    first, chaos = run(5)
    assert run(5)[0] == first
    assert run(6)[0] != first
    assert set(chaos.mishaps) == {"silence", "bus_error", "half_answer", "lost_prompt", "garbage", "delay"}
    assert min(chaos.mishaps.values()) > 0
    assert first.count(b"010C\r41 0C 1A F8 \r\r>") > 200


def test_calm_changes_nothing(elm: Elm327, calm: Chaos) -> None:
    plain = elm.feed(b"ATI\r")
    assert calm.spoil(plain) == plain
    assert sum(calm.mishaps.values()) == 0

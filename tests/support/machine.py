"""A virtual machine under emulation, with a root shell, a console in a file, and a plug to pull."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from support.ports import free_port
from support.write_log import Cut, after_cut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from support.power_cut import Way

BROKER_PORT = 1883
MEMORY_MB = 1024
BOOT_S_MAX = 600.0
SHELL_S_MAX = 180.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024
KERNEL_LINE = "root=/dev/vda rw console=ttyS0 loglevel=4 systemd.show_status=1 mitigations=off panic=-1"


class Answer(NamedTuple):
    """The exit status of a command in the machine, and all that it printed."""

    status: int
    output: str


class Machine:
    """One machine with two disks in ``folder``: that of the system, and ``data.img`` with what is kept.

    Writes to the data disk are recorded, so that ``cut`` takes back what was not flushed. What is told on the
    machine's port ``tell``, line by line, is in ``told``.
    """

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self.logs = logs
        self._data, self._before = folder / "data.img", folder / "data.before"
        self._process: asyncio.subprocess.Process | None = None
        self._ports: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._teller: asyncio.Task[None] | None = None
        self.broker_port = free_port()
        self.boots = 0
        self.told: list[Mapping[str, Any]] = []

    @property
    def is_running(self) -> bool:
        """Whether there is power."""
        return self._process is not None and self._process.returncode is None

    @property
    def console(self) -> Path:
        """What the kernel and systemd have said since the last boot."""
        return self.logs / f"console-{self.boots}.log"

    async def boot(self) -> float:
        """Start it and wait for its shell; the seconds that it took."""
        assert self._process is None, "it runs already"
        self.boots += 1
        began_s = time.monotonic()
        shutil.copyfile(self._data, self._before)
        (self._folder / "data.log").unlink(missing_ok=True)
        (self._folder / "data.log").touch()
        with (self.logs / "qemu.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*self._command(), stdout=log, stderr=log)
        self._ports = [await self._port(name) for name in ("shell", "tell")]
        self._teller = asyncio.create_task(self._hear(self._ports[1][0]))
        answer = await self.run("true", BOOT_S_MAX)
        assert answer.status == 0, answer.output
        return time.monotonic() - began_s

    def _command(self) -> list[str]:
        def file(name: str) -> dict[str, object]:
            # What QEMU has written survives QEMU; this machine's own disk need not be waited for.
            where = str(self._folder / name)
            return {"driver": "file", "filename": where, "cache": {"direct": False, "no-flush": True}}

        system = {"driver": "raw", "node-name": "system", "file": file("root.img")}
        data = {"driver": "blklogwrites", "node-name": "data", "log-sector-size": 512}
        data |= {"file": {"driver": "raw", "file": file("data.img")}, "log": file("data.log")}
        network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.broker_port}-:{BROKER_PORT}"
        options: list[tuple[str, str]] = [
            ("machine", "pc,accel=tcg"),
            ("cpu", "Nehalem"),
            ("smp", "1"),
            ("m", str(MEMORY_MB)),
            ("kernel", str(self._folder / "vmlinuz")),
            ("initrd", str(self._folder / "initrd")),
            ("append", KERNEL_LINE),
            ("serial", f"file:{self.console}"),
            ("blockdev", json.dumps(system)),
            ("blockdev", json.dumps(data)),
            ("device", "virtio-blk-pci,drive=system"),
            ("device", "virtio-blk-pci,drive=data,write-cache=on"),
            ("netdev", network),
            ("device", "virtio-net-pci,netdev=net,romfile="),
            ("device", "virtio-rng-pci"),
            ("device", "virtio-serial-pci"),
        ]
        for name in ("shell", "tell"):
            options.append(("chardev", f"socket,id={name},path={self._socket(name)},server=on,wait=off"))
            options.append(("device", f"virtserialport,chardev={name},name={name}"))
        flags = ["-nodefaults", "-display", "none", "-no-reboot"]
        return [
            "qemu-system-x86_64",
            *flags,
            *(word for key, value in options for word in (f"-{key}", value)),
        ]

    def _socket(self, name: str) -> Path:
        return self._folder / f"{name}.sock"

    async def _port(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline_s = time.monotonic() + SHELL_S_MAX
        while True:
            assert self._process, "started"
            assert self._process.returncode is None, f"qemu ended; see {self.logs / 'qemu.log'}"
            with contextlib.suppress(OSError):
                return await asyncio.open_unix_connection(self._socket(name), limit=ANSWER_BYTES_MAX)
            assert time.monotonic() < deadline_s, f"qemu does not listen at {self._socket(name)}"
            await asyncio.sleep(0.1)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            async for line in reader:
                # The last line may be half: the power went.
                with contextlib.suppress(ValueError):
                    self.told.append(json.loads(line))

    async def run(self, command: str, s_max: float = SHELL_S_MAX) -> Answer:
        """Run ``command`` in the machine as root, by its shell."""
        assert self._ports, "it runs"
        reader, writer = self._ports[0]
        writer.write(json.dumps({"run": command, "s_max": s_max}).encode() + b"\n")
        async with asyncio.timeout(s_max + SHELL_S_MAX):
            line = await reader.readline()
        assert line, f"the machine ended while it ran: {command}"
        return Answer(**json.loads(line))

    async def good(self, command: str, s_max: float = SHELL_S_MAX) -> str:
        """The same for a command that has to succeed; what it printed, without the last end of line."""
        answer = await self.run(command, s_max)
        assert answer.status == 0, f"{command}: exit status {answer.status}\n{answer.output[-2000:]}"
        return answer.output.rstrip("\n")

    async def write(self, path: str, text: str) -> None:
        """Write a file in the machine."""
        await self.good(f"printf %s {shlex.quote(text)} >{shlex.quote(path)}")

    async def until(self, command: str, what: str, s_max: float = SHELL_S_MAX) -> str:
        """Wait until ``command`` succeeds; what it printed then."""
        deadline_s = time.monotonic() + s_max
        while (answer := await self.run(command)).status:
            assert time.monotonic() < deadline_s, (
                f"waited {s_max:g} s in vain: {what}\n{answer.output[-1000:]}"
            )
            await asyncio.sleep(0.5)
        return answer.output.rstrip("\n")

    async def cut(self, way: Way, random: Random) -> Cut:
        """Pull the plug: what the data disk had not flushed is lost in the way that is named."""
        await self._end()
        return after_cut(self._before, self._folder / "data.log", self._data, way, random)

    async def power_off(self) -> None:
        """Shut it down."""
        assert self._process, "it runs"
        await self.run("systemctl --no-block poweroff")
        await asyncio.wait_for(self._process.wait(), SHELL_S_MAX)
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if self._teller:
            await self._teller
        for _, writer in self._ports:
            writer.close()
        self._ports, self._teller = [], None

    async def close(self) -> None:
        """Leave nothing running."""
        await self._end()

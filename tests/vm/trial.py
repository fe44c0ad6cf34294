"""One trial of the package in a virtual machine: the machine, the server outside, what steps share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent import paths
from support.agents import consent
from support.waiting import until

if TYPE_CHECKING:
    from random import Random

    from milepost_protocol.samples import Sample
    from support.machine import Machine
    from support.receipts import Committed, ReceiptGiver

DEVICE: Final = "gw-17"
UNIT: Final = "milepost-agent"
VIN: Final = "XMPC0000000000042"
FAULT: Final = "P0301"
ODOMETER_KM: Final = 48_218.9
LONG_S: Final = 900.0
"""For what takes a moment: the processor is emulated, and may have to share a real one."""
CONFIG: Final = Path("/etc/milepost/agent.toml")
FINE: Final = (paths.SPEED, paths.RPM, paths.COOLANT)


def config_text() -> str:
    """The agent's configuration: a bus, a broker, and fine series, so that there is something to store."""
    agreed = "\n".join(f'{name} = "{value}"' for name, value in consent().items())
    profile = "\n".join(f'[profile."{signal}"]\nevery = true' for signal in FINE)
    return f"""[device]
id = "{DEVICE}"
secret_file = "/etc/milepost/device.secret"

[buffer]
commit_interval_s = 1

[uplink]
host = "127.0.0.1"
port = 1883
reconnect_s_max = 5
receipt_timeout_s = 10
resend_s_max = 30
batch_samples_min = 20
batch_wait_s = 2

[log]
repeat_pause_s = 30

[[source]]
kind = "can"
interface = "socketcan"
channel = "vcan0"
profile = "example-combustion"

[consent]
{agreed}
{profile}
"""


@dataclass
class Trial:
    """What the steps share."""

    machine: Machine
    server: ReceiptGiver
    random: Random
    starts: int = 0
    """Of the car."""
    reached: int = 0
    """The highest seq that was said to be stored before a cut."""

    async def status(self) -> dict[str, Any]:
        """What ``milepost-agent status --json`` prints."""
        status: dict[str, Any] = json.loads(await self.machine.good("milepost-agent status --json"))
        return status

    async def shown(self, setting: str) -> str:
        """A property of the unit, as systemd has it."""
        return await self.machine.good(f"systemctl show -p {setting} --value {UNIT}")

    async def journal(self, more: str = "") -> str:
        """What the agent said in this boot."""
        return await self.machine.good(f"journalctl --no-pager -b -o cat -u {UNIT} {more}")

    async def is_running(self) -> None:
        """Wait for the unit to be active, by the agent's READY."""
        await self.machine.until(
            f'[ "$(systemctl show -p SubState --value {UNIT})" = running ] || '
            f"{{ systemctl --no-pager status {UNIT}; false; }}",
            "the unit is active (running)",
            LONG_S,
        )

    async def drive(self) -> None:
        """Let a car drive on vcan0, if none does; each start of it is further on than the last."""
        if not (await self.machine.run("systemctl is-active --quiet car")).status:
            return
        self.starts += 1
        await self.machine.good(
            "systemd-run --quiet --unit=car --collect /opt/milepost/.venv/bin/milepost-sim car --can vcan0 "
            f"--vin {VIN} --odometer-km {ODOMETER_KM + self.starts} --seed {self.starts} --fault {FAULT} "
            "--habits shuttle"
        )

    async def tell(self) -> None:
        """Let the machine tell what the agent says is stored."""
        self.machine.told.clear()
        await self.machine.good(
            "systemd-run --quiet --unit=tell --collect "
            "/usr/bin/python3 -I /opt/milepost/tell /dev/virtio-ports/tell"
        )

    def committed(self) -> dict[str, Committed]:
        """What the server has, by epoch."""
        return {epoch: one for (device, epoch), one in self.server.epochs.items() if device == DEVICE}

    def samples(self) -> list[Sample]:
        """All samples that the server has."""
        return [sample for one in self.committed().values() for sample in one.samples.values()]

    async def arrives(self, more: int, what: str) -> None:
        """Wait for ``more`` samples than the server has now."""
        goal = len(self.samples()) + more
        await until(lambda: len(self.samples()) >= goal, what, LONG_S)

"""What an agent runs on: all that is outside it, in one place; a simulator brings a world of its own."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_agent.buffer.files import POSIX
from milepost_agent.clock import SystemClock
from milepost_agent.health.flash import written_bytes
from milepost_agent.health.sdnotify import NO_MANAGER, ServiceManager, service_manager
from milepost_agent.uplink import mqtt

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.buffer.files import Files
    from milepost_agent.clock import ClockReading
    from milepost_agent.uplink.link import Connector


@dataclass(frozen=True, slots=True)
class Platform:
    """The outside of one agent.

    Attributes:
        clock: all clocks at one moment.
        entropy: so many random bytes, for the names of epochs.
        random: a number from 0 to below 1, for jitter.
        connect: opens a link to a broker.
        files: the file system of the buffer.
        manager: the service manager; by default there is none.
        written_bytes: what this process has caused to be written to disks; None where nobody counts.
    """

    clock: Callable[[], ClockReading]
    entropy: Callable[[int], bytes]
    random: Callable[[], float]
    connect: Connector
    files: Files
    manager: ServiceManager = NO_MANAGER
    written_bytes: Callable[[], int | None] = lambda: None


def this_machine() -> Platform:
    """The machine that this process runs on."""
    return Platform(
        clock=SystemClock(),
        entropy=os.urandom,
        random=random.random,
        connect=mqtt.connect,
        files=POSIX,
        manager=service_manager(os.environ),
        written_bytes=written_bytes,
    )

"""The world of one history: disk, network, broker, server, clocks and books, and the lives of its agent."""

from __future__ import annotations

import asyncio
import copy
import itertools
from random import Random
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.power.stance import Stance
from milepost_agent.uplink.link import Message
from milepost_protocol import topics
from milepost_protocol.errors import ProtocolError
from milepost_protocol.receipt import decode_receipt
from milepost_simulator.world.broker import Broker
from milepost_simulator.world.car import Clocks
from milepost_simulator.world.desk import Desk
from milepost_simulator.world.disk import Disk
from milepost_simulator.world.ingest import Ingest
from milepost_simulator.world.ledger import Ledger
from milepost_simulator.world.life import BUFFER, DEVICE, Life
from milepost_simulator.world.mount import End, Mount, Trouble
from milepost_simulator.world.network import Network
from milepost_simulator.world.parked import FULL_V, ParkedCar
from milepost_simulator.world.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_protocol.receipt import Receipt
    from milepost_simulator.world.loop import VirtualLoop
    from milepost_simulator.world.scenario import Scenario

INODES_MAX: Final = 10_000
RESTART_S: Final = 1.0
"""A service manager starts an agent again that has ended."""


class World:
    """One device and all around it.

    Attributes:
        excuses: what was done from outside that excuses a gap of a kind: "restored", "disk", "damaged",
            "older_copy".
    """

    def __init__(self, scenario: Scenario, loop: VirtualLoop, trace: Callable[[str], None]) -> None:
        self.scenario = scenario
        self.trace = trace
        self.excuses: set[str] = set()
        self.settings: dict[str, dict[str, Any]] = copy.deepcopy(
            {section: dict(table) for section, table in scenario.settings.items()}
        )
        self.kept_copy: dict[str, bytes] = {}
        self.numbers = itertools.count(1)
        self._loop = loop
        self._epochs = 0
        self._life: Life | None = None
        self._lives = 0
        self._down_s = RESTART_S
        self._before_start: Callable[[], None] | None = None
        self._is_car_on = True
        self._is_car_parked = False
        self._rest_v = FULL_V
        self._is_ending = False
        self._over_cap = False
        self.clocks = Clocks(loop.time, has_rtc=scenario.has_rtc)
        if scenario.is_synced:
            self.clocks.sync()
        self.ledger = Ledger(loop.time, trace, self._forgives)
        self.witness = Witness(self.ledger, BUFFER, self._forgives)
        self.disk = Disk(self.stream("disk"), scenario.disk_bytes_max, INODES_MAX)
        self.trouble = Trouble()
        self.broker = Broker(self.stream("broker"), self._deliver)
        self.broker.manners = copy.copy(scenario.manners)
        self.network = Network(self.broker, self.stream("network"))
        self.network.weather.delay_s = scenario.network_delay_s
        self.ingest = Ingest(self.broker, scenario.pace, self.stream("server"))
        self.broker.server = self.ingest
        self.desk = Desk(self.ledger.violate, lambda: "disk" in self.excuses)
        self.broker.on_report = self.desk.hear

    def _forgives(self) -> bool:
        """Whether what was done to the buffer's file excuses that samples vanish or seqs come again."""
        return bool(self.excuses & {"damaged", "older_copy"})

    def stream(self, name: str) -> Random:
        """Chances of one part, which no other part disturbs."""
        return Random(f"{self.scenario.seed}/{name}/{self._lives}")

    def entropy(self, size: int) -> bytes:
        """The bytes that epochs are named by: different ones, and easy to read in a trace."""
        self._epochs += 1
        return self._epochs.to_bytes(size, "big")

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Let something happen."""
        self._loop.call_later(after_s, what)

    # --- The agent's lives --------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether an agent runs now."""
        return self._life is not None and self._life.end is None

    @property
    def has_open_buffer(self) -> bool:
        """Whether an agent runs and has its buffer open: while the disk refuses, it has not."""
        return self.is_alive and self.witness.has_open_file

    @property
    def is_read(self) -> bool:
        """Whether the agent that runs knows that the car is in use."""
        return self._life is not None and self._life.agent.keeper.stance is Stance.AWAKE

    async def live(self) -> None:
        """Start the agent again and again, until the end of the history stops it for good."""
        while not self._is_ending:
            if self._before_start is not None:
                self._before_start()
                self._before_start = None
            self._lives += 1
            mount = Mount(self.disk, self.trouble, self.stream("mount"), self._ended, self._grown)
            self._life = Life(self, mount, self.settings)
            self._tell_car()
            self._down_s = RESTART_S
            self.trace(f"life {self._lives} begins")
            await self._life.run()
            self._close_books(self._life)
            self._life = None
            if not self._is_ending:
                await asyncio.sleep(self._down_s)

    def _close_books(self, life: Life) -> None:
        self.trace(f"life {self._lives} is over after {life.mount.calls} calls: {life.end or 'stopped'}")
        life.mount.retire()
        self.take_stock(life)
        if life.end is End.POWER_CUT:
            self.clocks.boot()

    def take_stock(self, life: Life) -> None:
        """An agent has ended: what it was told to keep must be stored, what was in memory alone is gone."""
        if life.end is None and not self.excuses - {"restored"} and self.ledger.unaccounted > 0:
            self.ledger.violate(f"{self.ledger.unaccounted} readings are not stored after a clean stop")
        if "removed" in self.excuses:
            self.excuses.add("damaged")
        self.ledger.end_life()

    def strike(self, end: End, after_calls: int, down_s: float) -> None:
        """End the agent's life at one of its next calls on the disk; after 0 calls, now."""
        if self._life is None:
            return
        self._down_s = down_s
        if after_calls:
            self._life.mount.end_after(after_calls, end)
        else:
            self._life.mount.end(end)

    def restart(self, down_s: float, before_start: Callable[[], None] | None = None) -> None:
        """Stop the agent cleanly; it comes back after ``down_s``."""
        if self._life is None:
            return
        self._down_s = down_s
        self._before_start = before_start
        self._life.stop.set()

    def _ended(self, end: End) -> None:
        life = self._life
        if life is None:
            return
        self.trace(f"{end} at call {life.mount.calls}")
        self.ledger.counts[end] += 1
        life.end = end
        life.over.set()
        self.network.cut()

    def _grown(self) -> None:
        if self._life is None:
            return
        size = sum(
            len(self.disk.names[name].data)
            for name in (f"{BUFFER}", f"{BUFFER}-wal")
            if name in self.disk.names
        )
        self.ledger.counts["bytes_max"] = max(self.ledger.counts["bytes_max"], size)
        # While its disk fails syncs, SQLite cannot write the log back, and the log grows.
        is_excused = bool(self.ledger.counts["fault_disk_error"])
        if size > self._life.bytes_max and not self._over_cap and not is_excused:
            self._over_cap = True
            self.ledger.violate(f"buffer and log take {size} bytes, over the cap of {self._life.bytes_max}")

    def put_copy_back(self) -> None:
        """Put the copy of the buffer that was kept in its place."""
        if not self.kept_copy:
            return
        self.excuses.add("older_copy")
        for suffix in ("", "-wal"):
            name = f"{BUFFER}{suffix}"
            if suffix in self.kept_copy:
                self.disk.put(name, self.kept_copy[suffix])
            elif name in self.disk.names:
                self.disk.remove(name)
        self.disk.settle()

    def set_car(self, *, is_on: bool) -> None:
        """Let the car be read, or let it be silent."""
        self._is_car_on = is_on and not self._is_car_parked
        self._tell_car()

    def set_battery(self, rest_v: float) -> None:
        """Let the car's battery show this while the car is off."""
        self._rest_v = rest_v
        self._tell_car()

    def _tell_car(self) -> None:
        if self._life is not None:
            self._life.car.is_on = self._is_car_on
            if isinstance(self._life.car, ParkedCar):
                self._life.car.rest_v = self._rest_v

    def park(self) -> None:
        """The car is not read any more."""
        self._is_car_parked = True
        self.set_car(is_on=False)

    def _deliver(self, message: Message) -> None:
        """A message reaches the agent: from now on it may act on it."""
        if message.topic != topics.ack(DEVICE):
            return
        try:
            receipt: Receipt = decode_receipt(message.payload)
        except ProtocolError as error:
            self.ledger.violate(f"the server sent what is no receipt: {error}")
            return
        self.ledger.deliver(receipt)

    def desire(self, settings: Mapping[str, Mapping[str, Any]] | None) -> None:
        """The server desires another configuration of the device; None: it says what nobody can read."""
        self.broker.desire(DEVICE, self.desk.write(settings))

    # --- The calm after the faults ------------------------------------------------------------------------

    def clear_disk(self) -> None:
        """The disk is well again."""
        self.disk.foreign_bytes = self.disk.foreign_inodes = 0
        self.trouble.errors.clear()
        self.trouble.is_read_only = False

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.trace("calm")
        self.clear_disk()
        self.network.clear_up()
        self.broker.start()
        self.broker.manners.forgets = False
        self.broker.manners.loses_receipts = 0.0
        self.ingest.start()
        self.clocks.sync()
        self.set_battery(FULL_V)
        self.set_car(is_on=True)
        if self._life is not None:
            self._life.mount.spare()

    @property
    def is_drained(self) -> bool:
        """Whether the server has all that was stored, and the agent knows it."""
        return self.is_alive and not self.backlog()

    def backlog(self) -> str:
        """What of the agent's buffer the server does not have, or the agent does not know that it has."""
        streams = self.ingest.archive.streams
        waiting = [f"{self.ledger.unaccounted} readings in memory"] if self.ledger.unaccounted > 0 else []
        if open_question := self.desk.open_question():
            waiting.append(open_question)
        for row in self.witness.rows:
            key = (DEVICE, row.epoch)
            watermark = streams[key].watermark if key in streams else 0
            if not watermark == row.next_seq - 1 == row.receipted:
                waiting.append(
                    f"epoch {row.epoch} is stored up to {row.next_seq - 1}, at the server up to {watermark}, "
                    f"receipted up to {row.receipted}"
                )
        return "; ".join(waiting)

    def end(self) -> None:
        """Stop the agent for good."""
        self._is_ending = True
        if self._life is not None:
            self._life.stop.set()

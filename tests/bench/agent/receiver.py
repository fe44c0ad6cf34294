"""The far end of an agent's uplink: notes which seqs came, and gives receipts as a server does."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho

from milepost_protocol import topics
from milepost_protocol.frame import read_header
from milepost_protocol.receipt import Receipt, encode_receipt
from support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S_MAX = 600.0
LOOK_S = 0.05

Range = tuple[int, int]


class Receiver:
    """``covered``: ranges of seqs by epoch; ``arrivals``: (monotonic time, new seqs) of each batch."""

    def __init__(self, folder: Path, device: str) -> None:
        self._broker = Mosquitto(folder, is_logging=False)
        self._device = device
        self._lock = threading.Lock()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "receiver")
        self._client.on_message = self._take
        self.covered: dict[str, list[Range]] = {}
        self.arrivals: list[tuple[float, int]] = []
        self.counts: Counter[str] = Counter()

    @property
    def port(self) -> int:
        return self._broker.port

    def __enter__(self) -> Self:
        self._broker.start()
        self._client.connect(self._broker.host, self._broker.port)
        self._client.subscribe(topics.up(self._device), qos=topics.UP_QOS)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.loop_stop()
        self._client.disconnect()
        self._broker.kill()

    def _take(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        header = read_header(message.payload)
        with self._lock:
            ranges = self.covered.setdefault(header.epoch, [])
            before = size(ranges)
            ranges[:] = joined([*ranges, (header.first, header.last)])
            self.arrivals.append((time.monotonic(), size(ranges) - before))
            self.counts["batches"] += 1
            self.counts["seqs"] += header.last - header.first + 1
            self.counts["bytes"] += len(message.payload)
        below = ranges[0][1] if ranges[0][0] == 1 else 0
        above = tuple(ranges[1:] if below else ranges)[:16]
        client.publish(
            topics.ack(self._device), encode_receipt(Receipt(header.epoch, below, above)), qos=topics.ACK_QOS
        )

    def seqs(self) -> int:
        """How many different seqs came, of all epochs."""
        with self._lock:
            return sum(size(ranges) for ranges in self.covered.values())

    def wait(self, seqs: int) -> None:
        """Wait until so many different seqs came."""
        deadline_s = time.monotonic() + WAIT_S_MAX
        while self.seqs() < seqs:
            assert time.monotonic() < deadline_s, f"{self.seqs()} of {seqs} came"
            time.sleep(LOOK_S)


def joined(ranges: list[Range]) -> list[Range]:
    """``ranges`` sorted, without overlaps and neighbours."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def size(ranges: list[Range]) -> int:
    """How many seqs ``ranges`` hold."""
    return sum(last - first + 1 for first, last in ranges)

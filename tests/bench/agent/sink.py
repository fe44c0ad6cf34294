"""The far end of the rivals' uplink: a broker, and a subscriber that counts each message of the job."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho

from bench.agent import job
from support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUIET_S = 15.0
"""So long without anything new, the rival has sent what it has."""
FIRST_S_MAX = 180.0
"""So long may it take to connect again and to send the first of it."""
WAIT_S_MAX = 900.0
LOOK_S = 0.2


class Sink:
    """``counts``: how often each message arrived; ``answers`` may reply as a rival's server does."""

    def __init__(
        self, folder: Path, read: Callable[[bytes], Iterator[dict[str, Any]]], topic: str, answers: Answers
    ) -> None:
        extra = "max_queued_messages 0\nmax_inflight_messages 0"
        self._broker = Mosquitto(folder, extra=extra, is_logging=False)
        self._read = read
        self._topic = topic
        self._answers = answers
        self._lock = threading.Lock()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "sink")
        self._client.on_message = self._take
        self.counts: Counter[int] = Counter()
        self.arrivals_s: list[float] = []

    @property
    def port(self) -> int:
        return self._broker.port

    def __enter__(self) -> Self:
        self._broker.start()
        self._client.connect(self._broker.host, self._broker.port)
        self._client.subscribe([(self._topic, 1), *((topic, 1) for topic in self._answers)])
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.loop_stop()
        self._client.disconnect()
        self._broker.kill()

    def _take(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        for topic, answer in self._answers.items():
            if paho.topic_matches_sub(topic, message.topic):
                client.publish(*answer(message.topic), qos=1)
                return
        now_s = time.monotonic()
        with self._lock:
            for values in self._read(message.payload):
                number = int(values[job.COUNT_KEY])
                if number not in self.counts:
                    self.arrivals_s.append(now_s)
                self.counts[number] += 1

    def clear(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.counts.clear()
            self.arrivals_s.clear()

    def wait_quiet(self, wanted: int) -> None:
        """Wait for ``wanted`` messages, or until nothing (more) comes: ``FIRST_S_MAX``, then ``QUIET_S``."""
        start_s = time.monotonic()
        while time.monotonic() - start_s < WAIT_S_MAX:
            with self._lock:
                arrived, last_s = len(self.counts), self.arrivals_s[-1] if self.arrivals_s else None
            patience_s = FIRST_S_MAX if last_s is None else QUIET_S
            if arrived >= wanted or time.monotonic() - max(last_s or 0.0, start_s) > patience_s:
                return
            time.sleep(LOOK_S)


Answers = dict[str, "Callable[[str], tuple[str, str]]"]
"""For a topic filter: from the topic of a request to the topic and the text of its answer."""


def plain(payload: bytes) -> Iterator[dict[str, Any]]:
    """The values of a message that arrives as it was handed over."""
    yield json.loads(payload)

"""Contenders that take MQTT messages: how the job is handed to them, and how they are measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

import paho.mqtt.client as paho

from bench.agent import job, proc
from bench.agent.contender import Outage, Steady

if TYPE_CHECKING:
    from bench.agent.link import CountedLink
    from bench.agent.sink import Sink

SEED = 1
QOS = 1
HANDED_A_SECOND = 200
"""Messages a second while the link is cut: slow enough for the slowest to take them in."""
INFLIGHT_MAX = 100
PUBLISH_S_MAX = 120.0
SETTLE_START_S = 5.0


class Rival(Protocol):
    """The process under test, with the broker that takes the job's messages on ``port``."""

    port: int

    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...


class MessageRun:
    """A running rival between a publisher and a sink."""

    def __init__(self, rival: Rival, link: CountedLink, sink: Sink) -> None:
        self._rival = rival
        self._link = link
        self._sink = sink

    def steady(self, seconds: int) -> Steady:
        """Do the job for so many seconds."""
        self._sink.clear()
        with Publisher(self._rival.port) as publisher:
            before, carried = proc.look(self._rival.pid), self._link.carried
            start_s = time.monotonic()
            for second, message in enumerate(job.messages(seconds, SEED)):
                time.sleep(max(0.0, start_s + second - time.monotonic()))
                publisher.hand_over(message)
                print(f"  second {second + 1} of {seconds}", end="\r", flush=True)
            self._sink.wait_quiet(seconds)
            after, lasted_s = proc.look(self._rival.pid), time.monotonic() - start_s
        samples = seconds * job.SIGNALS
        return Steady(
            rss_mb=after.rss_mb,
            cpu_percent=100 * (after.cpu_s - before.cpu_s) / lasted_s,
            disk_bytes_per_sample=(after.written_bytes - before.written_bytes) / samples,
            wire_bytes_per_sample=(self._link.carried - carried) / samples,
        )

    def outage(self, samples: int, settle_s: float) -> Outage:
        """See ``contender.Run``."""
        messages = samples // job.SIGNALS
        self._sink.clear()
        self._link.cut()
        with Publisher(self._rival.port) as publisher:
            for message in job.messages(messages, SEED):
                publisher.hand_over(message)
                time.sleep(1 / HANDED_A_SECOND)
            publisher.wait()
        time.sleep(settle_s)
        self._rival.kill()
        self._rival.start()
        time.sleep(SETTLE_START_S)
        self._link.mend()
        self._sink.wait_quiet(messages)
        arrived, times_s = len(self._sink.counts), self._sink.arrivals_s
        spent_s = times_s[-1] - times_s[0] if len(times_s) > 1 else 0.0
        return Outage(
            handed_over=messages * job.SIGNALS,
            lost=(messages - arrived) * job.SIGNALS,
            repeated=(self._sink.counts.total() - arrived) * job.SIGNALS,
            drain_samples_per_s=arrived * job.SIGNALS / spent_s if spent_s else 0.0,
        )


class Publisher:
    """Hands messages to a local broker with QoS 1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._last: paho.MQTTMessageInfo | None = None
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "load")
        self._client.max_inflight_messages_set(INFLIGHT_MAX)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.loop_stop()
        self._client.disconnect()

    def hand_over(self, message: bytes) -> None:
        """Publish one message."""
        self._last = self._client.publish(job.TOPIC, message, qos=QOS)

    def wait(self) -> None:
        """Wait until the broker has acknowledged all."""
        if self._last is not None:
            self._last.wait_for_publish(PUBLISH_S_MAX)

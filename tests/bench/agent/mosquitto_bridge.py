"""A rival: Mosquitto as a bridge with persistence, with its defaults and tuned to lose little."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.agent import job
from bench.agent.link import CountedLink
from bench.agent.messages import MessageRun
from bench.agent.sink import Sink, plain
from support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUNED = "autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nmax_queued_bytes 0"


@dataclass(frozen=True)
class MosquittoBridge:
    """``tuning``: lines of ``mosquitto.conf(5)`` beyond persistence and the bridge itself."""

    name: str
    tuning: str = ""

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[MessageRun]:
        """The local broker with its bridge to a sink."""
        with Sink(folder / "sink", plain, job.TOPIC, {}) as sink, CountedLink(sink.port) as link:
            bridge = (
                f"connection up\naddress 127.0.0.1:{link.port}\ntopic {job.TOPIC} out 1\n"
                "cleansession false\nrestart_timeout 1\nnotifications false\nremote_clientid bridge"
            )
            extra = f"{self.tuning}\n{bridge}"
            with Mosquitto(folder / "local", extra=extra, persistence=True, is_logging=False) as local:
                yield MessageRun(local, link, sink)

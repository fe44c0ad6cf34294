"""A rival: thingsboard-gateway with its SQLite store, its rate limits lifted, fed over MQTT."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from bench.agent import job
from bench.agent.link import CountedLink
from bench.agent.messages import MessageRun
from bench.agent.sink import Sink
from support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEVICE = "car"
UNLIMITED = "0:0,"
START_S_MAX = 60.0
STOP_S_MAX = 20.0
LOOK_S = 0.1
LIMITS_ASKED = "v1/devices/me/rpc/request/+"
LIMITS = {"maxPayloadSize": 65_536, "maxInflightMessages": 1_000, "rateLimits": {}, "gatewayRateLimits": {}}
"""What a ThingsBoard server without limits answers a gateway that asks for them."""
RATE_LIMITS = ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits")


class ThingsBoardGateway:
    """``program``: the gateway's command, in an environment of its own."""

    name = "thingsboard-gateway, SQLite store"

    def __init__(self, program: Path) -> None:
        self._program = program

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[MessageRun]:
        """The gateway between a local broker and a sink."""
        answers = {LIMITS_ASKED: _answer}
        with (
            Sink(folder / "sink", _unpacked, "v1/gateway/telemetry", answers) as sink,
            CountedLink(sink.port) as link,
            Mosquitto(folder / "local", extra="max_queued_messages 0") as local,
        ):
            gateway = _Gateway(self._program, folder / "gateway", local, link.port)
            gateway.start()
            try:
                yield MessageRun(gateway, link, sink)
            finally:
                gateway.kill()


class _Gateway:
    def __init__(self, program: Path, folder: Path, local: Mosquitto, link_port: int) -> None:
        self.port = local.port
        self._program = program
        self._folder = folder
        self._local = local
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("config", "data", "logs"):
            (folder / name).mkdir(parents=True)
        (folder / "config" / "tb_gateway.json").write_text(json.dumps(_gateway_config(folder, link_port)))
        (folder / "config" / "mqtt.json").write_text(json.dumps(_connector_config(local.port)))
        (folder / "config" / "logs.json").write_text(json.dumps({"version": 1}))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it has subscribed to the local broker."""
        seen = self._local.log().count(f"{job.TOPIC} (QoS")
        environment = os.environ | {"TB_GW_CONFIG_DIR": f"{self._folder / 'config'}/"}
        with (self._folder / "output").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program], env=environment, stdout=log, stderr=log, cwd=self._folder
            )
        deadline_s = time.monotonic() + START_S_MAX
        while self._local.log().count(f"{job.TOPIC} (QoS") == seen:
            assert self._process.poll() is None, (self._folder / "output").read_text()[-2000:]
            assert time.monotonic() < deadline_s, "the gateway does not subscribe"
            time.sleep(LOOK_S)

    def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_S_MAX)


def _gateway_config(folder: Path, port: int) -> dict[str, Any]:
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "maxPayloadSizeBytes": LIMITS["maxPayloadSize"],
            "security": {"type": "accessToken", "accessToken": "token"},
            "qos": 1,
            **dict.fromkeys(RATE_LIMITS, UNLIMITED),
            "deviceRateLimits": UNLIMITED,
            "deviceDpRateLimits": UNLIMITED,
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{folder / 'data'}/",
            "max_read_records_count": 1000,
        },
        "grpc": {"enabled": False},
        "connectors": [{"type": "mqtt", "name": "MQTT", "configuration": "mqtt.json"}],
    }


def _connector_config(port: int) -> dict[str, Any]:
    names = [job.COUNT_KEY, *(f"s{index}" for index in range(job.SIGNALS))]
    constant = {"deviceNameExpressionSource": "constant", "deviceNameExpression": DEVICE}
    profile = {"deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default"}
    converter = {
        "type": "json",
        "deviceInfo": constant | profile,
        "sendDataOnlyOnChange": False,
        "timeout": 60_000,
        "attributes": [],
        "timeseries": [{"type": "double", "key": name, "value": f"${{{name}}}"} for name in names],
    }
    return {
        "broker": {
            "host": "127.0.0.1",
            "port": port,
            "clientId": "gateway",
            "version": 4,
            "cleanSession": False,
            "security": {"type": "anonymous"},
        },
        "mapping": [{"topicFilter": job.TOPIC, "subscriptionQos": 1, "converter": converter}],
        "requestsMapping": {},
    }


def _answer(topic: str) -> tuple[str, str]:
    return topic.replace("request", "response"), json.dumps(LIMITS)


def _unpacked(payload: bytes) -> Iterator[dict[str, Any]]:
    for rows in json.loads(payload).values():
        for row in rows:
            if job.COUNT_KEY in row.get("values", {}):
                yield row["values"]

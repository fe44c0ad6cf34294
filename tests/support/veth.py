"""A car and a base in networks of their own, with a wire between them that can be cut, slowed and mended."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Final, Self

from support.mosquitto import Mosquitto
from support.namespaces import Namespace

if TYPE_CHECKING:
    from pathlib import Path

BASE: Final = "10.77.0.1"
CAR: Final = "10.77.0.2"
BURST_BYTES: Final = 1600
"""One packet: a bucket that held more would carry that much at once."""
LATENCY_MS: Final = 400


class Wire:
    """Two network namespaces and the veth pair between them; all of it ends with this process."""

    def __init__(self) -> None:
        self.base, self.car = Namespace("net"), Namespace("net")
        make = ["ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire"]
        self.base.run(*make, "netns", str(self.car.pid))
        for end, address in ((self.base, BASE), (self.car, CAR)):
            end.run("ip", "link", "set", "lo", "up")
            end.run("ip", "address", "add", f"{address}/24", "dev", "wire")
            end.run("ip", "link", "set", "wire", "up")

    def swallow(self) -> None:
        """Every packet vanishes, both ways, and neither side is told."""
        for end in (self.base, self.car):
            end.run("tc", "qdisc", "replace", "dev", "wire", "root", "blackhole")

    def slow(self, bits_per_s: int) -> None:
        """So many bits a second each way, and no more."""
        bucket = ["tbf", "rate", f"{bits_per_s}bit", "burst", str(BURST_BYTES), "latency", f"{LATENCY_MS}ms"]
        for end in (self.base, self.car):
            end.run("tc", "qdisc", "replace", "dev", "wire", "root", *bucket)

    def mend(self) -> None:
        """Carry everything again."""
        for end in (self.base, self.car):
            end.run("tc", "qdisc", "delete", "dev", "wire", "root")

    def carried_bytes(self) -> int:
        """What the car has sent over the wire, headers and all."""
        told = json.loads(self.car.run("ip", "-s", "-j", "link", "show", "wire"))
        return int(told[0]["stats64"]["tx"]["bytes"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.car.close()
        self.base.close()


class FarMosquitto(Mosquitto):
    """A broker in the base; ``socket`` is a Unix socket for those who are not on the wire."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        self.socket = folder / "sock"
        extra = f"listener 0 {self.socket}\nallow_anonymous true"
        super().__init__(folder, host=BASE, within=wire.base.within, extra=extra)

    def _knock(self) -> None:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.socket))

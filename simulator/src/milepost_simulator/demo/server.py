"""The demo's server: installed in its own folder with secrets made there, and run as a process."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_simulator.demo import plan as limits
from milepost_simulator.demo.processes import Child, program, run_to_end, running
from milepost_simulator.errors import PortInUseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_simulator.demo.plan import DemoPlan

HOST = "127.0.0.1"
CREDENTIALS = "credentials.json"
PORTS = "ports.json"
DERIVATION_INTERVAL_S = 1


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the server answers, and who may log in."""

    url: str
    mqtt_port: int
    email: str
    password: str


async def install(plan: DemoPlan) -> Installation:
    """Make the installation; with ``keep``, find the one that is there.

    Raises:
        ProcessFailedError: ``milepost-server init`` or ``migrate`` failed.
        PortInUseError: the port that was asked for is taken.
    """
    folder = plan.server_folder
    if not (folder / CREDENTIALS).is_file():
        await _init(plan)
    else:  # it may be of an earlier version
        command = [program("milepost-server"), "migrate", "--data-dir", str(folder)]
        await run_to_end("milepost-server migrate", command, plan.logs / "server.log")
    said = json.loads((folder / CREDENTIALS).read_text())
    mqtt_port = int(json.loads((folder / PORTS).read_text())["mqtt"])
    return Installation(str(said["address"]).rstrip("/"), mqtt_port, said["email"], said["password"])


async def _init(plan: DemoPlan) -> None:
    http, mqtt, control = _ports(plan.http_port)
    settings = {
        "http_port": http,
        "broker_port": mqtt,
        "broker_control_port": control,
        "derivation_interval_s": DERIVATION_INTERVAL_S,
    }
    command = [program("milepost-server"), "init", "--data-dir", str(plan.server_folder)]
    command += ["--dealer", limits.DEALER, "--timezone", limits.TIMEZONE]
    command += ["--name", limits.MANAGER, "--email", limits.EMAIL]
    command += ["--credentials", str(plan.server_folder / CREDENTIALS)]
    command += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    await run_to_end("milepost-server init", command, plan.logs / "server.log")
    (plan.server_folder / PORTS).write_text(json.dumps({"http": http, "mqtt": mqtt, "control": control}))


@contextlib.asynccontextmanager
async def serving(plan: DemoPlan) -> AsyncIterator[Child]:
    """The server's process."""
    command = [program("milepost-server"), "run", "--data-dir", str(plan.server_folder)]
    async with running("milepost-server", command, plan.logs / "server.log") as child:
        yield child


def _ports(http_port: int | None) -> tuple[int, int, int]:
    """Ports for pages, MQTT and the broker's own use; the last two are any free ones.

    Raises:
        PortInUseError: the port that was asked for is taken.
    """
    with contextlib.ExitStack() as held:
        wanted = limits.HTTP_PORT if http_port is None else http_port
        try:
            http = held.enter_context(_bound(wanted))
        except OSError as error:
            if http_port is not None:
                raise PortInUseError(f"{HOST}:{http_port}", error.strerror or "it is taken") from error
            http = held.enter_context(_bound(0))
        others = [held.enter_context(_bound(0)) for _ in range(2)]
        mqtt, control = (int(one.getsockname()[1]) for one in others)
        return int(http.getsockname()[1]), mqtt, control


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener

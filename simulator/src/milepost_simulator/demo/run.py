"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milepost_agent.errors import StatusError
from milepost_simulator.demo import closing, desk
from milepost_simulator.demo.accounts import Accounts
from milepost_simulator.demo.closing import Sights
from milepost_simulator.demo.device import DeviceFolder, Outbox
from milepost_simulator.demo.live import choose_live_cars, driving
from milepost_simulator.demo.plan import DERIVED_S_MAX, UPLOADS_AT_ONCE
from milepost_simulator.demo.rest import Rest
from milepost_simulator.demo.server import HOST, Installation, install, serving
from milepost_simulator.demo.showroom import Registered, Showroom, make_showroom, register
from milepost_simulator.demo.slip import slipping, with_slip
from milepost_simulator.errors import DemoError
from milepost_simulator.fleet.history import history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_simulator.demo.live import LiveAgent, LiveCar
    from milepost_simulator.demo.narration import Narrator
    from milepost_simulator.demo.plan import DemoPlan
    from milepost_simulator.demo.processes import Child

MARKER = ".milepost-demo"
LOOK_S = 30.0
LOOK_ONCE_S = 5.0
STEADY_S = 3.0
STATUS_S = 0.5


class Demo:
    """One run; ``run`` returns when a bounded one is done, or never."""

    def __init__(self, plan: DemoPlan, narrator: Narrator) -> None:
        self._plan = plan
        self._tell = narrator
        self._accounts = Accounts()

    async def run(self) -> None:
        """Everything, in order.

        Raises:
            DemoError, PortInUseError: the first thing that did not go as promised.
        """
        plan, tell = self._plan, self._tell
        with _claimed(plan), tempfile.TemporaryDirectory(prefix="milepost-") as short:
            did = "Taking up again" if plan.keep else "Setting up"
            tell.say(f"{did} in {plan.folder}: secrets, database, a dealer and its manager.")
            installation = await install(plan)
            async with serving(plan) as server, Rest(installation.url) as rest:
                tell.say("Starting the server and its broker.")
                await rest.wait_until_well(server)
                await rest.log_in(installation.email, installation.password)
                self._accounts.before = int((await rest.status())["samples_committed"])
                showroom = make_showroom(plan, dt.datetime.now(dt.UTC).date())
                registered = await self._register(rest, showroom)
                cars = choose_live_cars(plan, showroom.vehicles)
                slipped = slipping(showroom.vehicles, {car.vehicle.vin for car in cars})
                await self._send_histories(showroom, cars, installation.mqtt_port, slipped)
                folders = [self._folder(car.vehicle.device_id) for car in cars]
                async with driving(plan, cars, folders, installation.mqtt_port, Path(short)) as agents:
                    self._tell_cars(cars)
                    sights = await self._look_around(rest, showroom, registered, slipped)
                    self._tell_address(installation, sights, cars)
                    watched = [server, *(agent.child for agent in agents)]
                    await self._watch(rest, agents, watched, plan.live_once_s if plan.once else None)
                await self._settle(cars, installation, rest)
            if plan.once:
                self._summary(registered, sights, cars)
                self._accounts.check()
                tell.say("Every sample that a device has stored is committed at the server, once.")
                tell.say("What to try next: `make demo` keeps all this running, with the pages to look at.")

    def _folder(self, device_id: str) -> DeviceFolder:
        return DeviceFolder(device_id, self._plan.device_folder(device_id))

    async def _register(self, rest: Rest, showroom: Showroom) -> Registered:
        folders = [self._folder(vehicle.device_id) for vehicle in showroom.vehicles]
        known = {folder.device_id for folder in folders if folder.secret_file.exists()}
        registered = await register(rest, showroom, known)
        for folder in folders:
            if folder.device_id in registered.secrets:
                folder.write_secret(registered.secrets[folder.device_id])
        self._tell.say(
            f"Registered {len(registered.owners)} owners, {len(registered.vehicles)} vehicles with a device "
            f"each; told of {registered.services} service records, {registered.contracts} contracts and "
            f"warranties, {registered.outcomes} purchases and visits."
        )
        return registered

    async def _send_histories(
        self, showroom: Showroom, cars: list[LiveCar], mqtt_port: int, slipped: str | None
    ) -> None:
        plan, tell = self._plan, self._tell
        tell.say(f"Sending {plan.months} months of history from {len(showroom.vehicles)} devices over MQTT.")
        receipted: dict[str, int] = {}
        live = {car.vehicle.vin for car in cars}
        places = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def send(index: int) -> None:
            vehicle = showroom.vehicles[index]
            async with places, contextlib.AsyncExitStack() as stack:
                outbox = Outbox(self._folder(vehicle.device_id), HOST, mqtt_port)
                stack.push_async_callback(outbox.close)
                rows = await asyncio.to_thread(history, vehicle, with_counters=vehicle.vin not in live)
                if vehicle.vin == slipped:
                    rows = with_slip(rows)
                self._accounts.stored[vehicle.device_id] = await outbox.store(rows)

                def heard(seq: int) -> None:
                    receipted[vehicle.device_id] = seq
                    stored = sum(self._accounts.stored.values())
                    tell.progress(f"{stored:,} samples stored, {sum(receipted.values()):,} receipted.")

                await outbox.drain(heard)

        async with asyncio.TaskGroup() as group:
            for index in range(len(showroom.vehicles)):
                group.create_task(send(index))
        tell.say(f"History is there: {sum(receipted.values()):,} samples, all receipted by the server.")

    def _tell_cars(self, cars: list[LiveCar]) -> None:
        plan, tell = self._plan, self._tell
        for car in cars:
            tell.say(f"{car.vehicle.device_id}: {car.title}. An agent reads it through its OBD port.")
        if plan.recorded_drive() is None:
            tell.say(f"No real drive is in {plan.drives}; one that the simulator made takes its place.")

    async def _look_around(
        self, rest: Rest, showroom: Showroom, registered: Registered, slipped: str | None
    ) -> Sights:
        """Wait for what is derived, let staff begin their work, and see what there is."""
        tell = self._tell
        tell.say(f"What each car needs is derived: {_due_words(await self._steady_status(rest))}.")
        if not self._plan.keep:
            today = dt.datetime.now(dt.UTC).date()
            begun = await desk.begin_work(rest, today)
            tell.say(f"Staff have booked, noted, put off or closed {begun} items.")
        sights = Sights(
            url=rest.url,
            names={car["vin"]: one["name"] for one in showroom.owners for car in one["vehicles"]},
            owner_names={registered.owners[one["external_id"]]: one["name"] for one in showroom.owners},
            scored=await desk.scores(rest),
            slipped=registered.vehicles.get(slipped or ""),
        )
        for line in closing.readiest(sights):
            tell.say(line)
        return sights

    async def _steady_status(self, rest: Rest) -> dict[str, Any]:
        """The server's word once derivation has caught up, that is when it says the same for some seconds."""
        said: dict[str, int] = {}
        since_s = began_s = self._tell.elapsed_s
        while self._tell.elapsed_s - began_s < DERIVED_S_MAX:
            status = await rest.status()
            if status["owners_by_state"] != said:
                said, since_s = status["owners_by_state"], self._tell.elapsed_s
            if sum(said.values()) == status["owners"] and self._tell.elapsed_s - since_s >= STEADY_S:
                return status
            await asyncio.sleep(STATUS_S)
        raise DemoError(f"not all owners are derived after {DERIVED_S_MAX:g} s; see {self._plan.logs}")

    def _tell_address(self, installation: Installation, sights: Sights, cars: list[LiveCar]) -> None:
        say = self._tell.say
        say(f"The dealer's page: {installation.url}/   login {installation.email}")
        say(f"    password {installation.password}")
        if self._plan.once:
            return
        say("What to try next, while this runs (Ctrl-C ends it):")
        config = self._folder(cars[0].vehicle.device_id).path / "agent.toml" if cars else None
        for line in (*closing.pages(sights, cars), *closing.commands(self._plan.folder, config)):
            say(f"    {line}")

    async def _watch(
        self, rest: Rest, agents: list[LiveAgent], watched: list[Child], seconds: float | None
    ) -> None:
        """Say every few seconds how the agents are; any process that ends is an error."""
        async with contextlib.AsyncExitStack() as stack:
            ends = [asyncio.ensure_future(child.ended()) for child in watched]
            stack.callback(lambda: [end.cancel() for end in ends])
            look_s = LOOK_S if seconds is None else min(LOOK_ONCE_S, seconds)
            stop_s = None if seconds is None else self._tell.elapsed_s + seconds
            while stop_s is None or self._tell.elapsed_s < stop_s:
                done, _ = await asyncio.wait(ends, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
                for end in done:
                    end.result()
                self._tell.say(f"Cars: {', '.join(agent.motion() for agent in agents)}.")
                self._tell.say(await asyncio.to_thread(_how_agents_are, agents))
                self._tell.say(f"Server: {_server_words(await rest.status())}.")

    async def _settle(self, cars: list[LiveCar], installation: Installation, rest: Rest) -> None:
        """The agents have ended; send what their buffers still hold, then read the server's counters."""
        for car in cars:
            outbox = Outbox(self._folder(car.vehicle.device_id), HOST, installation.mqtt_port)
            try:
                await outbox.drain(lambda _: None)
                self._accounts.stored[car.vehicle.device_id] = await outbox.stored()
            finally:
                await outbox.close()
        self._accounts.take_server(await rest.status(), await rest.counters())

    def _summary(self, registered: Registered, sights: Sights, cars: list[LiveCar]) -> None:
        accounts = self._accounts
        self._tell.table(
            "What happened",
            [
                ("owners", len(registered.owners)),
                ("vehicles, each with a device", len(registered.vehicles)),
                ("cars read through an OBD port", len(cars)),
                ("samples stored by the devices", accounts.stored_ever),
                ("samples committed by the server", accounts.committed),
                ("lost", accounts.lost),
                ("doubled", accounts.doubled),
                ("batches", int(accounts.status["batches"])),
                ("receipts sent", accounts.receipts),
                ("owners overdue", int(accounts.status["owners_by_state"]["overdue"])),
                ("owners due within 30 days", int(accounts.status["owners_by_state"]["due"])),
                ("owners with a score", len(sights.scored)),
                ("seconds", f"{self._tell.elapsed_s:.1f}"),
            ],
        )


def _how_agents_are(agents: list[LiveAgent]) -> str:
    stored = receipted = connected = 0
    resident_mb = 0.0
    for agent in agents:
        try:
            status = agent.status()
        except StatusError:
            continue  # it is still starting
        buffer, uplink = status["buffer"], status["uplink"]
        assert isinstance(buffer, dict)
        assert isinstance(uplink, dict)
        stored += buffer.get("stored_seq", 0)
        receipted += buffer.get("receipted_seq", 0)
        connected += bool(uplink["is_connected"])
        resident_mb = max(resident_mb, float(str(status["resident_mb"] or 0)))
    counts = f"{stored:,} samples stored, {receipted:,} receipted"
    return f"Agents: {connected} connected, {counts}; the largest takes {resident_mb:.0f} MB of memory."


def _due_words(status: dict[str, Any]) -> str:
    by_state = status["owners_by_state"]
    overdue, due = by_state["overdue"], by_state["due"]
    return f"of {status['owners']} owners, {overdue} overdue and {due} more due within 30 days"


def _server_words(status: dict[str, Any]) -> str:
    return f"{status['samples_committed']:,} samples committed; {_due_words(status)}"


@contextlib.contextmanager
def _claimed(plan: DemoPlan) -> Iterator[None]:
    """The demo's folder, for this run alone: fresh, or with ``keep`` as it was left.

    Raises:
        DemoError: another demo runs in it, or it is a folder that no demo made.
    """
    marker = plan.folder / MARKER
    if plan.folder.exists() and any(plan.folder.iterdir()) and not marker.exists():
        raise DemoError(f"{plan.folder} is not empty and no demo made it; choose another with --folder")
    plan.folder.mkdir(parents=True, exist_ok=True)
    with marker.open("a") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"a demo runs in {plan.folder} already; end it, or choose another --folder"
            ) from None
        if not plan.keep:
            for entry in plan.folder.iterdir():
                if entry.name != MARKER:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        plan.logs.mkdir(exist_ok=True)
        yield

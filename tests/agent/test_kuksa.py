"""A databroker as a source: against the one of ``support.databroker``, over both versions of its API."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from milepost_agent import paths
from milepost_agent.errors import SourceConfigError
from milepost_agent.sources import open_source
from milepost_agent.sources.kuksa import broker as broker_module
from milepost_agent.sources.kuksa.mapping import Described, make_plan, wanted_paths
from milepost_agent.sources.kuksa.units import conversion
from milepost_protocol.errors import ProtocolError
from milepost_protocol.signals import catalogue
from support.databroker import Broker, Entry, serving
from support.ports import free_port
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from milepost_agent.readings import Reading, Source

VIN = "1M8GDM9AXKP042788"
STATE_OF_HEALTH = "Vehicle.Powertrain.TractionBattery.StateOfHealth"
PRESSURE = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure"
HOURS = "Vehicle.Powertrain.CombustionEngine.EngineHours"
LIST = "Vehicle.Diagnostics.DTCList"


def car(**changes: Entry) -> dict[str, Entry]:
    entries = {
        paths.SPEED: Entry("km/h", "float"),
        paths.RPM: Entry("rpm", "float", 800.0),
        paths.ODOMETER: Entry("km", "float", 123456.5),
        paths.VIN: Entry("", "string", VIN),
        paths.SYSTEM_STATE: Entry("", "string"),
        paths.VOLTAGE: Entry("V", "float"),
        PRESSURE: Entry("kPa", "uint32", 231),
        HOURS: Entry("h", "float", 5.5),
        LIST: Entry("", "string_array", ["P0301", "U0100-87"]),
        "Vehicle.Milepost.Diagnostics.IsMilOn": Entry("", "bool", False),
        "Vehicle.Cabin.Seat.Row1.DriverSide.Position": Entry("mm", "uint32", 5),
    }
    return entries | {path.replace("__", "."): entry for path, entry in changes.items()}


class Listener:
    """Runs a source and keeps what it gives."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.readings: list[Reading] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Listener]:
        task = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self) -> None:
        async with contextlib.aclosing(self.source.readings()) as readings:
            async for reading in readings:
                self.readings.append(reading)

    def latest(self) -> dict[str, object]:
        return {reading.signal: reading.value for reading in self.readings}

    async def until(self, signal: str, value: object) -> None:
        await until(
            lambda: self.latest().get(signal) == value, lambda: f"{signal} {value}: {self.source.status()}"
        )

    async def until_status(self, key: str, value: object) -> None:
        await until(
            lambda: self.source.status()[key] == value, lambda: f"{key} {value}: {self.source.status()}"
        )


def listener(port: int, **settings: object) -> Listener:
    table = {"kind": "kuksa", "address": f"127.0.0.1:{port}", **settings}
    return Listener(open_source(table, jitter=lambda: 0.0))


@pytest.mark.parametrize("versions", ["v1 v2", "v1", "v2"])
async def test_what_is_there_is_read_first_and_then_what_changes(versions: str) -> None:
    broker = Broker(car())
    async with serving(broker, versions=versions) as port, listener(port).running() as heard:
        await heard.until_status("state", "subscribed")
        assert heard.latest() == {
            paths.ODOMETER: 123_456_500,
            paths.VIN: VIN,
            PRESSURE: 231,
            paths.DTC_CONFIRMED: "P0301 U0100",
            "Vehicle.Milepost.Diagnostics.IsMilOn": False,
        }
        broker.publish(paths.SPEED, 50.25)
        await heard.until(paths.SPEED, 50.25)
        broker.publish(paths.SYSTEM_STATE, "ACC")
        await heard.until(paths.SYSTEM_STATE, paths.STATE_OFF)
        broker.publish(LIST, [])
        await heard.until(paths.DTC_CONFIRMED, "")
        status = heard.source.status()
        assert status["api"] == ("v1" if versions == "v1" else "v2")
        assert (status["signals"], status["not_read"], status["refused"]) == (9, "", 0)
        assert status["stale"] == 1, "the engine speed that lay there may be of yesterday"


async def test_the_odometer_is_in_the_unit_that_the_broker_says() -> None:
    metres = {paths.ODOMETER: Entry("m", "uint32", 123_456_700)}
    async with serving(Broker(metres)) as port, listener(port).running() as heard:
        await heard.until(paths.ODOMETER, 123_456_700)
    unsaid = {paths.ODOMETER: Entry("", "uint32", 123_456_700), paths.SPEED: Entry("m/s", "float")}
    broker = Broker(unsaid)
    async with serving(broker) as port, listener(port).running() as heard:
        await heard.until_status("not_read", paths.ODOMETER)
        await heard.until_status("state", "subscribed")  # a speed that lay there before would be stale
        broker.publish(paths.SPEED, 10.0)
        await heard.until(paths.SPEED, 36.0)
        assert paths.ODOMETER not in heard.latest()


async def test_values_that_are_none_or_impossible_are_counted_and_nothing_else_suffers() -> None:
    broker = Broker(car())
    async with serving(broker) as port, listener(port).running() as heard:
        await heard.until_status("state", "subscribed")
        empty = heard.source.status()["empty"]
        for value in (float("nan"), float("inf"), 5_000.0):
            broker.publish(paths.SPEED, value)
        broker.publish(paths.VIN, "NO VIN")
        broker.publish(paths.SYSTEM_STATE, "UNDEFINED")
        broker.publish(paths.VOLTAGE, None)
        broker.publish(paths.SPEED, 1.0)
        await heard.until(paths.SPEED, 1.0)
        status = heard.source.status()
        assert (status["refused"], int(status["empty"]) - int(empty)) == (5, 1)
        assert "UNDEFINED" in str(status["last_error"])


async def test_a_broker_that_restarts_is_found_again_and_asked_anew() -> None:
    port = free_port()
    broker = Broker(car())
    async with listener(port).running() as heard:
        await heard.until_status("state", "failed")
        assert "unavailable" in str(heard.source.status()["last_error"])
        async with serving(broker, port):
            await heard.until(paths.ODOMETER, 123_456_500)
        await heard.until_status("state", "failed")
        # It comes back with another VSS.
        async with serving(Broker({paths.ODOMETER: Entry("m", "uint32", 5_000_000)}), port):
            await heard.until(paths.ODOMETER, 5_000_000)
        assert heard.source.status()["connects"] == 2
        assert "OFF" not in heard.latest().values(), "a lost broker says nothing of the car"


async def test_a_broker_that_swallows_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "QUIET_S_MAX", 0.1)
    monkeypatch.setattr(broker_module, "CALL_S_MAX", 0.3)
    broker = Broker(car())
    async with serving(broker) as port, listener(port).running() as heard:
        await until(lambda: broker.calls.count("v2 GetServerInfo") > 2, "probes while it is quiet")
        assert heard.source.status()["failures"] == 0
        broker.is_mute = True
        await until(lambda: heard.source.status()["failures"], "giving up")
        assert "deadline_exceeded" in str(heard.source.status()["last_error"])
        broker.is_mute = False
        await until(lambda: heard.source.status()["connects"] == 2, "another connection")


async def test_only_the_paths_that_are_named_are_subscribed_to() -> None:
    broker = Broker(car())
    wanted = f"{paths.SPEED} {paths.ODOMETER} {STATE_OF_HEALTH}"
    async with serving(broker) as port, listener(port, paths=wanted).running() as heard:
        await heard.until_status("state", "subscribed")
        assert heard.source.status()["signals"] == 2
        assert heard.source.status()["not_read"] == STATE_OF_HEALTH
        assert set(heard.latest()) == {paths.ODOMETER}


async def test_a_broker_without_any_signal_of_ours_is_said_to_be_so() -> None:
    async with (
        serving(Broker({"Vehicle.Cabin.Lights": Entry("", "bool", True)})) as port,
        listener(port).running() as heard,
    ):
        await heard.until_status("state", "failed")
        assert "has no signal to read" in str(heard.source.status()["last_error"])


async def test_a_token_is_shown_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong\n")
    token.chmod(0o600)
    broker = Broker(car(), token="right")
    async with serving(broker) as port, listener(port, token_file=str(token)).running() as heard:
        await heard.until_status("state", "failed")
        assert "check token_file" in str(heard.source.status()["last_error"])
        # Tokens expire: it is read anew for each connection.
        token.write_text("right\n")
        await heard.until(paths.VIN, VIN)


async def test_with_certificates_both_sides_are_who_they_say(tmp_path: Path) -> None:
    certificate(tmp_path, "localhost")
    key, own = ((tmp_path / name).read_bytes() for name in ("key.pem", "cert.pem"))
    credentials = grpc.ssl_server_credentials([(key, own)], own, require_client_auth=True)
    settings = {"ca_file": str(tmp_path / "cert.pem"), "server_name": "localhost"}
    client = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    async with serving(Broker(car()), credentials=credentials) as port:
        async with listener(port, **settings, **client).running() as heard:
            await heard.until(paths.VIN, VIN)
        async with listener(port, **settings).running() as stranger:
            await stranger.until_status("state", "failed")
            assert not stranger.readings


def certificate(folder: Path, name: str) -> None:
    """A self-signed certificate for ``name`` with its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("unit", "to", "value", "becomes"),
    [
        ("km", "m", 1.5, 1500.0),
        ("M", "m", 7.0, 7.0),
        ("mile", "m", 1.0, 1609.344),
        ("m/s", "km/h", 10.0, 36.0),
        ("bar", "kPa", 2.3, 230.0),
        ("mV", "V", 12_600.0, 12.6),
        ("kelvin", "Celsius", 373.15, 100.0),
        ("ratio", "percent", 0.5, 50.0),
        ("days", "s", 2.0, 172_800.0),
    ],
)
def test_units_of_one_kind_are_converted(unit: str, to: str, value: float, becomes: float) -> None:
    convert = conversion(unit, to)
    assert convert is not None
    assert convert(value) == pytest.approx(becomes)


@pytest.mark.parametrize(("unit", "to"), [("", "m"), ("kPa", "V"), ("furlong", "m"), ("km", ""), ("s", "m")])
def test_units_of_different_kinds_are_not(unit: str, to: str) -> None:
    assert conversion(unit, to) is None


def test_every_signal_of_the_catalogue_is_of_a_unit_that_is_known() -> None:
    assert not [
        signal.path for signal in catalogue().signals.values() if not conversion(signal.unit, signal.unit)
    ]


def test_an_earlier_name_counts_only_where_the_present_one_is_missing() -> None:
    earlier = "Vehicle.Powertrain.CombustionEngine.ECT"
    both = make_plan([Described(earlier, "celsius"), Described(paths.COOLANT, "celsius")], None)
    assert list(both.routes) == [paths.COOLANT]
    alone = make_plan([Described(earlier, "celsius")], None)
    assert alone.routes[earlier].value(85.4) == 85.4
    assert alone.routes[earlier].signal == paths.COOLANT


def test_what_the_agent_derives_is_never_taken_from_a_broker() -> None:
    described = [Described(path, catalogue()[path].unit) for path in sorted(paths.DERIVED)]
    assert make_plan(described, None).routes == {}
    with pytest.raises(SourceConfigError, match="none that the agent reads"):
        wanted_paths(HOURS)


@pytest.mark.parametrize("given", [None, True, "5", [5], float("nan"), -1, 2**33, b"x"])
def test_no_value_of_another_type_becomes_an_odometer(given: Any) -> None:
    route = make_plan([Described(paths.ODOMETER, "m")], None).routes[paths.ODOMETER]
    with pytest.raises(ProtocolError):
        route.value(given)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"address": "broker"}, "host:port"),
        ({"address": "broker:0"}, "host:port"),
        ({"ca_file": "/nowhere/ca.pem"}, "cannot be read"),
        ({"cert_file": "c.pem"}, "belong together"),
        ({"address": "broker:1", "token_file": "t"}, "over an open connection"),
        ({"paths": "Vehicle.Speed Vehicle.Nothing"}, "'Vehicle.Nothing' is none"),
    ],
)
def test_settings_that_cannot_be_are_said_before_anything_is_connected(
    settings: dict[str, str], words: str
) -> None:
    with pytest.raises(SourceConfigError, match=words):
        open_source({"kind": "kuksa", **settings})


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    token.chmod(0o644)
    with pytest.raises(SourceConfigError, match="chmod 600"):
        open_source({"kind": "kuksa", "token_file": str(token)})


def test_an_agent_without_such_a_source_never_loads_grpc() -> None:
    code = (
        "import sys, milepost_agent.agent, milepost_agent.cli, milepost_agent.parts; "
        "sys.exit(any(name.split('.')[0] in ('grpc', 'kuksa', 'google') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The declared list of settings: name, type, default, unit, bounds and help, one class for each section.

Checks, defaults, ``config show``, error messages and ``docs/agent-settings.md`` all come from these fields.
``[[source]]`` tables are declared and checked by the sources themselves.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.derive.brakes import MASS_KG
from milepost_agent.entry.settings import Entry
from milepost_agent.power.settings import Power
from milepost_agent.setting import setting as _setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_agent.sampler import Rule

MIB: Final = 1024 * 1024
SOCKET_PATH_CHARACTERS_MAX: Final = 103
"""The shortest room for the name of a Unix socket among the systems that have them, less its final zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """[device]: who this gateway is."""

    id: str = _setting("device id as registered with the server: 1 to 64 of A-Z a-z 0-9 _ and -")
    secret_file: str = _setting(
        "file with the device secret, readable by the agent's user only; empty: no password", ""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """[vehicle]: what the car cannot tell by itself."""

    vin: str = _setting("VIN, until the car reports one of its own", "")
    anchor_odometer_m: float | None = _setting(
        "odometer as last read by a person, for cars that do not report it", None, "m", 0, 4_294_967_295
    )
    anchor_at: str = _setting(
        "when that was read, such as 2026-03-01; another time or reading anchors anew", ""
    )
    anchor_sigma_m: float = _setting(
        "how far that reading may be off, one standard deviation", 1_000.0, "m", 0, 1e6
    )
    mass_kg: float = _setting("mass of the car with its load, for brake energy", MASS_KG, "kg", 100, 60_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """[buffer]: what is kept on flash until the server has it."""

    path: str = _setting(
        "the buffer file; its folder is made where it is missing",
        "/var/lib/milepost/buffer.db",
        "characters",
        1,
        4000,
    )
    commit_interval_s: float = _setting(
        "samples and counters wait at most this long for a commit, and a power cut costs no more than that; "
        "10 s write twice as much to flash, 1 s ten times as much and more",
        30.0,
        "s",
        0.05,
        3600,
        remote=True,
    )
    commit_samples_max: int = _setting("this many samples are committed at once", 1_000, "samples", 1, 4096)
    memory_samples_max: int = _setting(
        "samples kept in memory while the disk refuses; beyond, the least valuable go",
        20_000,
        "samples",
        100,
        1_000_000,
    )
    bytes_max: int = _setting(
        "size of the buffer file and its log; beyond, the least valuable samples go",
        64 * MIB,
        "bytes",
        MIB,
        64 * 1024 * MIB,
    )
    free_bytes_min: int = _setting(
        "what the buffer leaves free on its file system", 16 * MIB, "bytes", 0, 1024 * MIB
    )
    free_inodes_min: int = _setting("below this, no new buffer file is made", 64, "inodes", 0, 1_000_000)
    age_days_max: float = _setting(
        "age cap; fine series go at a quarter of it, odometer and faults at four times; 0: none",
        365.0,
        "days",
        0,
        36_500,
    )
    flash_bytes_per_day_max: int = _setting(
        "what this process may write to flash, projected to a day; over it, commits become rarer, at most "
        "ten times; the default leaves 256 MB of flash that bear 3,000 erasures 15 years",
        140_000_000,
        "bytes",
        1_000_000,
        1_000_000_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """[uplink]: the broker, and how much may be under way to it."""

    host: str = _setting("host name or address of the MQTT broker", unit="characters", low=1, high=253)
    port: int = _setting("its port; brokers use 1883, with TLS 8883", 1883, "", 1, 65535)
    tls: bool = _setting("encrypt the connection and check the broker's certificate", False)
    ca_file: str = _setting("certificates (PEM) to trust instead of the system's", "")
    cert_file: str = _setting("the device's own certificate (PEM), where the broker asks for one", "")
    key_file: str = _setting("the key of cert_file (PEM)", "")
    protocol: str = _setting(
        "version of MQTT: 3.1.1, which every broker speaks, or 5, which also tells what a broker refuses",
        "3.1.1",
    )
    keepalive_s: int = _setting(
        "a broker that was not heard for so long is asked, and given up after half as long again; a broker "
        "of MQTT 5 may set a shorter time",
        30,
        "s",
        5,
        3600,
    )
    reconnect_s_min: float = _setting(
        "bound of the first pause before connecting again; it doubles, and pauses are drawn evenly below it",
        1.0,
        "s",
        0.05,
        3600,
    )
    reconnect_s_max: float = _setting(
        "highest bound of that pause; while its broker is away, a fleet of n tries 2 n / this times a second",
        120.0,
        "s",
        0.05,
        86_400,
    )
    bytes_per_day_max: int = _setting(
        "messages sent and received in a day of UTC, with their framing in MQTT, without TCP, TLS and pings; "
        "faults may take a quarter more; 0: no limit",
        0,
        "bytes",
        0,
        1_000_000_000_000,
        remote=True,
    )
    metered: bool = _setting(
        "the backlog of an outage keeps to an even pace over the day's bytes, which so last for what is new",
        False,
        remote=True,
    )
    quiet_hours: str = _setting(
        "time of the day in UTC in which only faults are sent, such as 22:00-06:00; the connection stays; "
        "ignored while the clock is not trusted; empty: none",
        "",
        remote=True,
    )
    window_batches: int = _setting("batches that the broker has not acknowledged", 4, "batches", 1, 10)
    unreceipted_batches_max: int = _setting(
        "batches that the server has not receipted", 16, "batches", 1, 1000
    )
    unreceipted_bytes_max: int = _setting(
        "bytes that the server has not receipted", 128 * 1024, "bytes", 1024, 64 * MIB
    )
    batch_samples_min: int = _setting(
        "fewer new samples than this wait for more, at most batch_wait_s", 300, "samples", 1, 4096
    )
    batch_wait_s: float = _setting(
        "longest wait of a stored sample for others", 30.0, "s", 0, 86_400, remote=True
    )
    receipt_timeout_s: float = _setting(
        "a batch without a receipt is sent again after this time", 30.0, "s", 0.1, 3600
    )
    resend_s_max: float = _setting(
        "longest pause between two resends while the server does not answer", 600.0, "s", 0.1, 86_400
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """[health]: how to look at the running agent."""

    socket: str = _setting(
        "Unix socket for `milepost-agent status`",
        "/run/milepost/agent.sock",
        "characters",
        1,
        SOCKET_PATH_CHARACTERS_MAX,
    )
    metrics_file: str = _setting(
        "file of metrics for node_exporter's textfile collector, its name ends in .prom; empty: none",
        "",
        "characters",
        0,
        4000,
    )
    metrics_interval_s: float = _setting("time between two writes of it", 60.0, "s", 1, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """[log]: what the agent says on standard error."""

    level: str = _setting("debug, info, warning or error", "info", remote=True)
    repeat_pause_s: float = _setting(
        "a message that repeats is said once in this time, with a count of the others; 0: each time",
        1800.0,
        "s",
        0,
        86_400,
        remote=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """[consent]: the owner's agreement to the [profile], which is refused without it."""

    profile: str = _setting("name of the collection profile that the owner has agreed to", "local")
    owner: str = _setting("who has agreed: a reference such as a customer number, never a name", "")
    granted_at: str = _setting("when that began, such as 2026-03-01 (midnight, UTC)", "")
    expires_at: str = _setting(
        "when it ends, at most 366 days later: then the profile's stream stops by itself", ""
    )


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration; ``source`` are the tables as given, ``profile`` the rules by signal.

    What a server sets is laid over it as though it stood in the file (``remote/overlay.py``).
    """

    device: Device
    vehicle: Vehicle
    buffer: Buffer
    uplink: Uplink
    power: Power
    entry: Entry
    health: Health
    log: Log
    consent: Consent
    source: tuple[Mapping[str, Any], ...] = ()
    profile: Mapping[str, Rule] = field(default_factory=dict)


SECTIONS: Final[Mapping[str, type]] = {
    "device": Device,
    "vehicle": Vehicle,
    "buffer": Buffer,
    "uplink": Uplink,
    "power": Power,
    "entry": Entry,
    "health": Health,
    "log": Log,
    "consent": Consent,
}
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class Setting(NamedTuple):
    """One entry of the list; ``default`` is ``dataclasses.MISSING`` where it must be given."""

    section: str
    name: str
    kind: str
    default: Any
    unit: str
    low: float
    high: float
    help: str
    is_remote: bool

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def is_required(self) -> bool:
        return self.default is dataclasses.MISSING


def settings() -> Iterator[Setting]:
    """All settings, in the order in which they are declared."""
    for section, cls in SECTIONS.items():
        for entry in dataclasses.fields(cls):
            meta = entry.metadata
            kind = str(entry.type).removesuffix(" | None").replace("tuple[str, ...]", "list")
            yield Setting(
                section,
                entry.name,
                kind,
                entry.default,
                meta["unit"],
                meta["low"],
                meta["high"],
                meta["help"],
                meta["remote"],
            )


def plain(bound: float) -> str:
    """A bound as people write it."""
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:,g}"

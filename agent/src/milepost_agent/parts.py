"""From the configuration to the arguments of each part."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from milepost_agent.buffer import schema
from milepost_agent.buffer.policy import BufferLimits
from milepost_agent.buffer.recorder import RecorderLimits
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import DAY_MS
from milepost_agent.config import read_secret
from milepost_agent.edge import EdgeConfig
from milepost_agent.entry.endpoint import Peers, peers
from milepost_agent.errors import ConfigError
from milepost_agent.power.keeper import Keeper, KeeperLimits
from milepost_agent.power.machine import line_reader
from milepost_agent.power.settings import power_limits
from milepost_agent.sources import open_sources as open_all
from milepost_agent.uplink.budget import Budget, BudgetLimits, QuietHours
from milepost_agent.uplink.link import Broker
from milepost_agent.uplink.session import SessionLimits
from milepost_protocol.identity import check_vin

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.buffer.checks import Patience
    from milepost_agent.buffer.files import Files
    from milepost_agent.buffer.policy import DiskFacts
    from milepost_agent.power.keeper import Hands
    from milepost_agent.readings import Source
    from milepost_agent.settings import Config


def open_store(
    config: Config, entropy: Callable[[int], bytes], files: Files, patience: Patience
) -> BufferStore:
    """The configured buffer.

    Raises:
        StoreError: see ``BufferStore.open``.
    """
    limits = BufferLimits(
        bytes_max=config.buffer.bytes_max,
        free_bytes_min=config.buffer.free_bytes_min,
        free_inodes_min=config.buffer.free_inodes_min,
        age_ms_max=round(config.buffer.age_days_max * DAY_MS),
    )
    disk = free_space(config, files)
    path = Path(config.buffer.path)
    return BufferStore.open(path, config.device.id, limits, entropy, disk, files=files, patience=patience)


def free_space(config: Config, files: Files) -> DiskFacts:
    """What is free where the buffer is.

    Raises:
        StoreError: the disk does not even tell that.
    """
    path = Path(config.buffer.path)
    with schema.translated(path):
        return files.look(path.parent)


def open_sources(config: Config) -> list[Source]:
    """The configured sources; none of them is connected yet.

    Raises:
        SourceConfigError: a table that cannot be used, or two for one device.
    """
    return open_all(config.source)


def edge_config(config: Config) -> EdgeConfig:
    """What the edge is told about the car."""
    vehicle = config.vehicle
    return EdgeConfig(
        anchor_odometer_m=vehicle.anchor_odometer_m,
        anchor_at=vehicle.anchor_at,
        anchor_sigma_m=vehicle.anchor_sigma_m,
        mass_kg=vehicle.mass_kg,
        vin=check_vin(vehicle.vin) if vehicle.vin else "",
        profile=config.profile,
    )


def entry_socket(config: Config) -> Path:
    """Where entries by hand are taken; without a folder it lies beside the status socket.

    Raises:
        ConfigError: nowhere.
    """
    if not config.entry.socket:
        raise ConfigError("entry.socket", "is empty, so that nothing can be entered; name a socket there")
    return Path(config.health.socket).parent / config.entry.socket


def entry_peers(config: Config) -> Peers:
    """Who may enter.

    Raises:
        ConfigError: a user or group that this machine does not have.
    """
    return peers(config.entry.users, config.entry.groups)


def broker(config: Config) -> Broker:
    """The configured broker, with the secret and the certificates read.

    Raises:
        ConfigError: the secret or a certificate cannot be used.
    """
    uplink = config.uplink
    secret_file = config.device.secret_file
    return Broker(
        host=uplink.host,
        port=uplink.port,
        device=config.device.id,
        secret=read_secret(Path(secret_file)) if secret_file else None,
        keepalive_s=uplink.keepalive_s,
        tls=_tls(config) if uplink.tls else None,
        protocol=uplink.protocol,
    )


def budget(config: Config) -> Budget:
    """What may be sent, and when."""
    uplink = config.uplink
    return Budget(
        BudgetLimits(uplink.bytes_per_day_max, uplink.metered, QuietHours.parse(uplink.quiet_hours))
    )


def _tls(config: Config) -> ssl.SSLContext:
    uplink = config.uplink
    try:
        context = ssl.create_default_context(cafile=uplink.ca_file or None)
    except ssl.SSLError as error:
        raise ConfigError("uplink.ca_file", f"{uplink.ca_file} holds no certificate in PEM") from error
    except OSError as error:
        why = f"{uplink.ca_file} cannot be read: {error.strerror or error}"
        raise ConfigError("uplink.ca_file", why) from error
    if uplink.cert_file:
        _load_own(context, uplink.cert_file, uplink.key_file)
    return context


def _load_own(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    try:
        # Nobody is there to be asked for a passphrase.
        context.load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError as error:
        is_other = error.reason == "KEY_VALUES_MISMATCH"
        why = f"the key in {key_file} is not that of the certificate in {cert_file}"
        none = f"{cert_file} and {key_file} must hold a certificate and its key in PEM, without a passphrase"
        raise ConfigError("uplink.cert_file", why if is_other else none) from error
    except OSError as error:
        why = f"{cert_file} or {key_file} cannot be read: {error.strerror or error}"
        raise ConfigError("uplink.cert_file", why) from error


def recorder_limits(config: Config) -> RecorderLimits:
    """When to commit; also before the memory is full, or it would give samples up while the disk is well."""
    buffer = config.buffer
    commit_samples_max = min(buffer.commit_samples_max, max(1, buffer.memory_samples_max // 2))
    return RecorderLimits(buffer.commit_interval_s, commit_samples_max, buffer.memory_samples_max)


def session_limits(config: Config) -> SessionLimits:
    """What may be under way to the server."""
    uplink = config.uplink
    return SessionLimits(
        window_batches=uplink.window_batches,
        unreceipted_batches_max=uplink.unreceipted_batches_max,
        unreceipted_bytes_max=uplink.unreceipted_bytes_max,
        batch_samples_min=uplink.batch_samples_min,
        batch_wait_s=uplink.batch_wait_s,
        receipt_timeout_s=uplink.receipt_timeout_s,
        resend_s_max=uplink.resend_s_max,
    )


def keeper(config: Config, hands: Hands) -> Keeper:
    """What keeps the agent from emptying the car's battery; without a source it has nothing to go by."""
    power = config.power
    limits = power_limits(power)
    if not config.source and not power.ignition_file:
        limits = replace(limits, is_enabled=False)
    chosen = KeeperLimits(
        keeps_link=power.rest_link == "keep",
        rest_drain_s_max=power.rest_drain_s_max,
        event_s_max=power.event_s_max,
        sleep_command=power.sleep_command,
    )
    return Keeper(limits, chosen, hands, line_reader(power.ignition_file))

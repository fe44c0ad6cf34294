"""The examination: which looks, in which order, and what is left alone while an agent runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent import parts
from milepost_agent.config import load
from milepost_agent.errors import ConfigError, SourceConfigError, StatusError
from milepost_agent.health.doctor import probes, verdicts
from milepost_agent.health.doctor.findings import Finding, Level
from milepost_agent.health.endpoint import ask
from milepost_agent.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from milepost_agent.platform import Platform
    from milepost_agent.settings import Config
    from milepost_agent.uplink.link import Broker

LISTEN_S: Final = 20.0
"""A search for the car's protocol takes most of it."""
NO_AGENT: Final = "no agent runs; ask again when it does"
SILENT: Final = "the agent has it, and does not answer"


def examine(config_file: Path, platform: Platform, listen_s: float = LISTEN_S) -> Iterator[Finding]:
    """All findings, each as soon as it is known."""
    try:
        config = load(config_file)
        parts.open_sources(config)
    except (ConfigError, SourceConfigError) as error:
        yield Finding("config", Level.BAD, str(error))
        yield from verdicts.skipped(("the rest",), "wants a configuration")
        return
    about = f"{config_file}: device {config.device.id}, sources: {len(config.source)}"
    yield Finding("config", Level.GOOD, about)
    status, silence = _running(config)
    if silence:
        yield silence
    broker, finding = _broker(config)
    if finding:
        yield finding
    yield verdicts.clock(platform.clock())
    yield from _disk(config)
    if silence:
        yield from verdicts.skipped(("buffer", "adapter"), SILENT)
        yield from _reached(broker)
        yield from verdicts.skipped(("login", "receipts"), SILENT)
        return
    yield from _buffer(status, config, platform)
    yield from _sources(status, config, listen_s)
    yield from _uplink(status, broker, platform)


def _running(config: Config) -> tuple[Mapping[str, Any] | None, Finding | None]:
    """The status of the agent that runs with this configuration, and the finding on one that is silent."""
    try:
        return ask(Path(config.health.socket)), None
    except StatusError as error:
        return None, None if error.is_absent else Finding("agent", Level.BAD, str(error))


def _broker(config: Config) -> tuple[Broker | None, Finding | None]:
    """The broker with its secrets, and the finding on the secret."""
    try:
        broker = parts.broker(config)
    except ConfigError as error:
        return None, Finding("secret", Level.BAD, str(error))
    if not config.device.secret_file:
        return broker, None
    facts = probes.look_at_secret(Path(config.device.secret_file), Path(config.buffer.path))
    return broker, verdicts.secret(facts)


def _disk(config: Config) -> Iterator[Finding]:
    limits = config.buffer
    try:
        facts = probes.look_at_disk(Path(limits.path))
    except OSError as error:
        yield Finding("disk", Level.BAD, f"{limits.path}: {error.strerror}", "look whether it is mounted")
        return
    yield from verdicts.disk(facts, limits.free_bytes_min, limits.free_inodes_min, limits.bytes_max)


def _buffer(status: Mapping[str, Any] | None, config: Config, platform: Platform) -> Iterator[Finding]:
    if status is None:
        made = "is there" if Path(config.buffer.path).exists() else "is not made yet"
        yield Finding("buffer", Level.SKIPPED, f"{config.buffer.path} {made}; {NO_AGENT}")
        return
    yield verdicts.buffer(status, platform.clock().wall_ms)


def _sources(status: Mapping[str, Any] | None, config: Config, listen_s: float) -> Iterator[Finding]:
    if not config.source:
        yield Finding(
            "adapter", Level.NOTE, "no [[source]]: nothing is read", "name one; see agent-settings.md"
        )
        return
    if status is not None:
        yield from verdicts.sources(status)
        return
    for table in config.source:
        if table["kind"] == "replay":
            yield Finding("adapter", Level.NOTE, f"replay of {table['file']}: no car is read")
            continue
        path = str(table.get("port", ""))
        if path.startswith("/"):
            blocked = verdicts.port(path, probes.look_at_port(Path(path)))
            if blocked:
                yield blocked
                continue
        source = open_source(table)
        facts = asyncio.run(probes.listen(source, listen_s))
        yield from verdicts.car(source.name, facts, listen_s)


def _reached(broker: Broker | None) -> Generator[Finding, None, bool]:
    """How far the way to the broker goes; returns whether it can be reached."""
    if broker is None:
        yield from verdicts.skipped(("broker",), "wants a secret and certificates that can be used")
        return False
    reached = probes.reach(broker)
    yield from verdicts.broker(broker.address, reached, has_tls=broker.tls is not None)
    return not reached.error


def _uplink(status: Mapping[str, Any] | None, broker: Broker | None, platform: Platform) -> Iterator[Finding]:
    is_reached = yield from _reached(broker)
    if broker is None:
        return
    if status is not None:
        yield verdicts.link(status)
        yield verdicts.receipts(status)
        return
    if is_reached:
        yield verdicts.login(broker.device, asyncio.run(probes.log_in(broker, platform.connect)))
    yield from verdicts.skipped(("receipts",), NO_AGENT)

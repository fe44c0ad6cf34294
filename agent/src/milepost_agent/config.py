"""Reading the configuration file and the device secret, with errors that say what to do."""

from __future__ import annotations

import dataclasses
import datetime
import math
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.consent import consent_of
from milepost_agent.errors import ConfigError
from milepost_agent.power.settings import REST_LINKS, SYSTEM_VOLTS
from milepost_agent.sampler import Rule
from milepost_agent.settings import LOG_LEVELS, SECTIONS, SOCKET_PATH_CHARACTERS_MAX, Config, plain, settings
from milepost_agent.uplink.budget import QuietHours
from milepost_agent.uplink.link import PROTOCOLS
from milepost_protocol.errors import ProtocolError
from milepost_protocol.identity import check_device_id, check_vin
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import UnionType

    from milepost_agent.power.settings import Power
    from milepost_agent.settings import Setting, Uplink

SECRET_BYTES_MAX: Final = 1024
SOURCES_MAX: Final = 16
METRICS_ENDING: Final = ".prom"
KINDS: Final[Mapping[str, tuple[type | UnionType, str]]] = {
    "str": (str, 'a text in "quotes"'),
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "bool": (bool, "true or false"),
    "list": (list | tuple, 'texts as ["one", "two"]'),
}


def load(path: Path) -> Config:
    """Read and check the configuration file.

    Raises:
        ConfigError: it cannot be read, or a setting is unknown, missing, of the wrong type or out of bounds.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            str(path), f"cannot be read: {error.strerror}; name the file with --config"
        ) from error
    except (ValueError, RecursionError) as error:
        # Beside its own error the parser lets through those of numbers too long and tables too deep.
        raise ConfigError(str(path), f"is not TOML: {error}") from error
    return parse(document)


def parse(document: Mapping[str, Any]) -> Config:
    """Check a configuration that was read.

    Raises:
        ConfigError: see ``load``.
    """
    for name in document:
        if name not in SECTIONS and name not in ("source", "profile"):
            raise _unknown(name, [*SECTIONS, "source", "profile"])
    sections = {name: cls(**_section(name, _table(document, name))) for name, cls in SECTIONS.items()}
    config = Config(**sections, source=_sources(document), profile=_profile(document))
    check_whole(config)
    return config


def _section(section: str, table: Mapping[str, Any]) -> dict[str, Any]:
    known = {setting.name: setting for setting in settings() if setting.section == section}
    for name in table:
        if name not in known:
            raise _unknown(f"{section}.{name}", [setting.key for setting in known.values()])
    for setting in known.values():
        if setting.is_required and setting.name not in table:
            raise ConfigError(setting.key, f"is missing; it is the {setting.help}")
    return {name: check_value(known[name], value) for name, value in table.items()}


def check_value(setting: Setting, value: Any) -> Any:
    """``value`` as the setting's own type.

    Raises:
        ConfigError: another type, or out of bounds.
    """
    if setting.kind == "str" and isinstance(value, datetime.date):
        value = value.isoformat()  # TOML has dates of its own; a datetime is one of them, too
    wanted, words = KINDS[setting.kind]
    is_wanted = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if not is_wanted:
        raise ConfigError(setting.key, f"is {value!r}; it must be {words}")
    texts = value if setting.kind == "list" else [value] if setting.kind == "str" else []
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ConfigError(setting.key, f"is {value!r}; it must be one line of characters that print")
    size = len(value) if setting.kind in ("str", "list") else value
    if not setting.low <= size <= setting.high:
        bounds = f"{plain(setting.low)} to {plain(setting.high)} {setting.unit}".rstrip()
        raise ConfigError(setting.key, f"is {value!r:.64}; it must be from {bounds}")
    if setting.kind == "list":
        return tuple(value)
    return float(value) if setting.kind == "float" else value


def check_whole(config: Config) -> None:
    """Check what no single setting can tell.

    Raises:
        ConfigError: settings that do not go together.
    """
    try:
        check_device_id(config.device.id)
    except ProtocolError as error:
        raise ConfigError("device.id", str(error)) from error
    try:
        if config.vehicle.vin:
            check_vin(config.vehicle.vin)
    except ProtocolError as error:
        raise ConfigError("vehicle.vin", str(error)) from error
    _check_uplink(config.uplink)
    if config.log.level not in LOG_LEVELS:
        raise ConfigError("log.level", f"is {config.log.level!r}; it must be one of {', '.join(LOG_LEVELS)}")
    _check_power(config.power)
    _check_entry(config)
    if config.health.metrics_file and not config.health.metrics_file.endswith(METRICS_ENDING):
        why = f"its name must end in {METRICS_ENDING}, or no collector reads it"
        raise ConfigError("health.metrics_file", f"is {config.health.metrics_file!r}; {why}")
    if config.profile:
        consent_of(config.consent)


def _check_uplink(uplink: Uplink) -> None:
    if not _is_host(uplink.host):
        raise ConfigError(
            "uplink.host",
            f"is {uplink.host!r}; it must be the name or address alone; its port is uplink.port",
        )
    if uplink.reconnect_s_max < uplink.reconnect_s_min:
        raise ConfigError("uplink.reconnect_s_max", "is below uplink.reconnect_s_min")
    if bool(uplink.cert_file) != bool(uplink.key_file):
        raise ConfigError("uplink.cert_file", "and uplink.key_file belong together: give both or none")
    if not uplink.tls and (uplink.ca_file or uplink.cert_file):
        raise ConfigError("uplink.tls", "is false, but certificates are named; set it to true")
    if uplink.protocol not in PROTOCOLS:
        raise ConfigError("uplink.protocol", f"is {uplink.protocol!r}; it must be {' or '.join(PROTOCOLS)}")
    if uplink.quiet_hours and QuietHours.parse(uplink.quiet_hours) is None:
        raise ConfigError("uplink.quiet_hours", f"is {uplink.quiet_hours!r}; write it as 22:00-06:00 (UTC)")
    if uplink.metered and not uplink.bytes_per_day_max:
        raise ConfigError("uplink.metered", "is true, but there are no bytes to pace; set bytes_per_day_max")


def _check_entry(config: Config) -> None:
    socket = str(Path(config.health.socket).parent / config.entry.socket)
    if config.entry.socket and len(socket) > SOCKET_PATH_CHARACTERS_MAX:
        raise ConfigError(
            "entry.socket",
            f"makes {socket}, more than the {SOCKET_PATH_CHARACTERS_MAX} characters of a socket's name; "
            'give a shorter one, or "" for none',
        )


def _check_power(power: Power) -> None:
    if power.system_v not in SYSTEM_VOLTS:
        raise ConfigError("power.system_v", f"is {power.system_v}; it must be 12 or 24")
    if power.rest_link not in REST_LINKS:
        raise ConfigError("power.rest_link", f"is {power.rest_link!r}; it must be {' or '.join(REST_LINKS)}")
    if not power.critical_v <= power.sleep_v < power.saving_v < power.charging_v - power.hysteresis_v:
        raise ConfigError(
            "power.saving_v",
            f"is {power.saving_v:g}; it must be above sleep_v ({power.sleep_v:g}), that not below critical_v "
            f"({power.critical_v:g}), and with hysteresis_v ({power.hysteresis_v:g}) below charging_v "
            f"({power.charging_v:g})",
        )


def _is_host(text: str) -> bool:
    """Whether ``text`` may be a name or address, not an URL or a name with its port."""
    has_port = text.count(":") == 1
    return not has_port and not set(text) & set("/@ ")


def _sources(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    tables = document.get("source", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError("source", "must be written as [[source]], once for each source")
    if len(tables) > SOURCES_MAX:
        raise ConfigError("source", f"has {len(tables)} tables; at most {SOURCES_MAX}")
    return tuple(tables)


def _profile(document: Mapping[str, Any]) -> Mapping[str, Rule]:
    return {signal: check_rule(signal, table) for signal, table in _table(document, "profile").items()}


def check_rule(signal: str, table: Any) -> Rule:
    """One rule of a collection profile.

    Raises:
        ConfigError: a signal that no profile may name, or a rule that is none.
    """
    key = f'profile."{signal}"'
    if signal not in catalogue():
        raise ConfigError(key, "is no signal of the catalogue; paths are those of docs/protocol/signals.md")
    if not catalogue()[signal].may_be_profiled:
        raise ConfigError(key, "is a text, as the VIN is; a profile may name numbers and switches only")
    if not isinstance(table, dict):
        raise ConfigError(key, 'must be a table, written as [profile."Vehicle.Speed"]')
    defaults = {entry.name: entry.default for entry in dataclasses.fields(Rule)}
    for name, value in table.items():
        if name not in defaults:
            raise _unknown(f"{key}.{name}", [f"{key}.{known}" for known in defaults])
        is_switch = isinstance(defaults[name], bool)
        is_number = isinstance(value, int | float) and 0 <= value < math.inf
        if isinstance(value, bool) is not is_switch or not is_number:
            raise ConfigError(
                f"{key}.{name}", "must be true or false" if is_switch else "must be a number, 0 or more"
            )
    return Rule(**table)


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(name, f"must be a table, written as [{name}]")
    return table


def _unknown(key: str, known: list[str]) -> ConfigError:
    import difflib  # noqa: PLC0415  (only a typo needs it)

    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return ConfigError(
        key,
        f"is no setting; did you mean {near[0]}?" if near else f"is no setting; there are {', '.join(known)}",
    )


def read_secret(path: Path) -> str:
    """The device secret.

    Raises:
        ConfigError: no such file, others may read it, or it holds no one line of text.
    """
    key = "device.secret_file"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()[: SECRET_BYTES_MAX + 1]
    except OSError as error:
        raise ConfigError(key, f"{path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(key, f"{path} has mode {mode:04o}, others can read it; run: chmod 600 {path}")
    secret = content.decode("utf-8", "replace").strip()
    if not secret or len(content) > SECRET_BYTES_MAX or "\n" in secret:
        raise ConfigError(
            key, f"{path} must hold the secret alone, one line of at most {SECRET_BYTES_MAX} bytes"
        )
    return secret

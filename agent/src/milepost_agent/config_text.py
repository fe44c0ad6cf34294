"""Settings as text: the effective configuration as TOML, and the table of the documentation."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

from milepost_agent.sampler import Rule
from milepost_agent.settings import SECTIONS, plain, settings
from milepost_agent.sources import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_agent.settings import Config


def as_toml(config: Config) -> str:
    """All settings with their effective values; each with its help and, where it differs, its default."""
    return "\n".join(_toml_lines(config)) + "\n"


def _toml_lines(config: Config) -> Iterator[str]:
    for section in SECTIONS:
        yield f"[{section}]"
        table = getattr(config, section)
        for setting in settings():
            if setting.section != section:
                continue
            value = getattr(table, setting.name)
            unit = f", {setting.unit}" if setting.unit else ""
            is_default = setting.is_required or value == setting.default
            usual = "not set" if setting.default is None else _toml(setting.default)
            default = "" if is_default else f"; default {usual}"
            line = f"{setting.name} = {_toml(value)}" if value is not None else f"# {setting.name} is not set"
            yield f"{line}  # {setting.help}{unit}{default}"
        yield ""
    for table in config.source:
        yield from ("[[source]]", *(f"{key} = {_toml(value)}" for key, value in table.items()), "")
    for signal, rule in config.profile.items():
        yield f"[profile.{json.dumps(signal)}]"
        yield from (
            f"{entry.name} = {_toml(getattr(rule, entry.name))}" for entry in dataclasses.fields(rule)
        )
        yield ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # A text of JSON is one of TOML; tables of sources may hold what is neither: str shows it.
    return json.dumps(value) if isinstance(value, str | tuple) else str(value)


def as_markdown() -> str:
    """The reference of all settings, as ``docs/agent-settings.md`` holds it."""
    return "\n".join(_markdown_lines()) + "\n"


def _markdown_lines() -> Iterator[str]:
    yield "# Settings of the agent"
    yield ""
    yield "The configuration is one TOML file. This page is made from the agent's own list of settings by"
    yield "`milepost-agent config show --markdown`; `milepost-agent config check` checks a file against it."
    yield "What stands as *remote* the server may set, too (see integrate.md)."
    for section, cls in SECTIONS.items():
        yield from ("", f"## {cls.__doc__}", "")
        yield "| setting | type | default | unit | from | to | remote | meaning |"
        yield "|---|---|---|---|---|---|---|---|"
        for setting in settings():
            if setting.section == section:
                default = "must be given" if setting.is_required else _default(setting.default)
                bounds = f"{setting.unit} | {_bound(setting.low)} | {_bound(setting.high)}"
                remote = "yes" if setting.is_remote else ""
                kind = f"{setting.kind} | {default} | {bounds} | {remote}"
                yield f"| `{setting.name}` | {kind} | {setting.help} |"
    for kind, source in KINDS.items():
        yield from (
            "",
            f'## [[source]] with kind = "{kind}"',
            "",
            "| setting | default | from | to | meaning |",
        )
        yield "|---|---|---|---|---|"
        for entry in source.settings:
            default = "must be given" if entry.default is None else _default(entry.default)
            bounds = f"{_bound(entry.minimum)} | {_bound(entry.maximum)}"
            yield f"| `{entry.name}` | {default} | {bounds} | {entry.help} |"
    yield from _profile_lines()


def _profile_lines() -> Iterator[str]:
    yield from ("", '## [profile."<signal path>"]: a collection profile that the owner has agreed to', "")
    yield "Fine series stay in the car unless such a table names them, with the [consent] of the owner. It"
    yield "may name numbers and switches of the catalogue, but no texts such as the VIN. While the clock is"
    yield "`untrusted` (`milepost-agent status` shows it), nothing is sampled by a profile."
    yield from ("", "| setting | type | default |", "|---|---|---|")
    for entry in dataclasses.fields(Rule):
        yield f"| `{entry.name}` | {entry.type} | {_default(entry.default)} |"


def _default(value: Any) -> str:
    return "" if value in ("", None, ()) else f"`{_toml(value)}`"


def _bound(value: float) -> str:
    return "" if math.isinf(value) else plain(value)

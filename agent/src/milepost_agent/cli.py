"""The command ``milepost-agent``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.entry.command import add_entries
from milepost_agent.errors import AgentError
from milepost_agent.exits import EXIT_ERROR, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Callable[[argparse.Namespace], int]

CONFIG_DEFAULT: Final = "/etc/milepost/agent.toml"
ENTER_SUMMARY: Final = "Enter what the odometer shows, or a service; it is stored when this returns."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 an error, 2 a configuration to mend."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has read enough, as in `status | head`; the rest must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except AgentError as error:
        return explain(error)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="milepost-agent", **_words("Milepost's vehicle agent.", "run"))
    commands = parser.add_subparsers(required=True, metavar="command")
    _add(commands, "run", "read the car, store, and publish until stopped", "run", _run)
    status = _add(commands, "status", "ask the running agent how it is", "status", _status)
    status.add_argument("--socket", help="ask there, instead of where the configuration says")
    status.add_argument("--json", action="store_true", help="print the whole document, for programs")
    doctor = _add(commands, "doctor", "look at all that the agent needs, with advice", "doctor", _doctor)
    doctor.add_argument("--json", action="store_true", help="print the findings for programs")
    enter_words = _words(ENTER_SUMMARY, "enter odometer 123456 --unit km")
    enter = commands.add_parser("enter", help="enter an odometer reading or a service", **enter_words)
    add_entries(enter.add_subparsers(required=True, metavar="what"), _add)
    config_words = _words("Check or show the configuration.", "config check")
    config = commands.add_parser("config", help="check or show the configuration", **config_words)
    actions = config.add_subparsers(required=True, metavar="action")
    _add(
        actions,
        "check",
        "check a configuration, without touching car, buffer or broker",
        "config check",
        _check,
    )
    show = _add(actions, "show", "print all settings with their values", "config show", _show)
    show.add_argument("--markdown", action="store_true", help="print the reference of all settings instead")
    return parser


def _words(description: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "epilog": f"Example: milepost-agent {example} --config agent.toml",
    }


def _add(commands: Any, name: str, summary: str, example: str, command: Command) -> argparse.ArgumentParser:
    words = _words(f"{summary[0].upper()}{summary[1:]}.", example)
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, **words)
    parser.set_defaults(command=command)
    parser.add_argument(
        "--config", type=Path, default=Path(CONFIG_DEFAULT), help="configuration file (default: %(default)s)"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    from milepost_agent.service import serve  # noqa: PLC0415  (other commands stay quick)

    serve(options.config)
    return 0


def _status(options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415

    from milepost_agent.config import load  # noqa: PLC0415
    from milepost_agent.health.endpoint import ask  # noqa: PLC0415
    from milepost_agent.health.text import as_text  # noqa: PLC0415

    status = ask(Path(options.socket or load(options.config).health.socket))
    print(json.dumps(status, indent=2) if options.json else as_text(status, time.time_ns() // 1_000_000))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415
    import logging  # noqa: PLC0415

    from milepost_agent.health.doctor import findings  # noqa: PLC0415
    from milepost_agent.health.doctor.examination import examine  # noqa: PLC0415
    from milepost_agent.platform import this_machine  # noqa: PLC0415

    # What sources and uplink say of their troubles stands in the findings.
    logging.getLogger("milepost_agent").addHandler(logging.NullHandler())
    found = []
    for finding in examine(options.config, this_machine()):
        found.append(finding)
        if not options.json:
            print(findings.as_text([finding]), flush=True)
    if options.json:
        print(json.dumps(findings.as_document(found), indent=2))
    return EXIT_ERROR if findings.is_bad(found) else 0


def _check(options: argparse.Namespace) -> int:
    from milepost_agent.config import load  # noqa: PLC0415
    from milepost_agent.parts import broker, entry_peers, open_sources  # noqa: PLC0415

    config = load(options.config)
    broker(config)
    entry_peers(config)
    sources = open_sources(config)
    facts = f"device {config.device.id}, {len(sources)} sources, broker {config.uplink.host}"
    print(f"{options.config}: good; {facts}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from milepost_agent import config_text  # noqa: PLC0415
    from milepost_agent.config import load  # noqa: PLC0415

    text = config_text.as_markdown() if options.markdown else config_text.as_toml(load(options.config))
    sys.stdout.write(text)
    return 0

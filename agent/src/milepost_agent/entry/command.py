"""``milepost-agent enter``: an odometer reading or a service, told to the running agent."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.entry.plausible import KM_PER_MILE

if TYPE_CHECKING:
    from collections.abc import Callable

KM_PER_UNIT: Final = {"km": 1.0, "mi": KM_PER_MILE}


def add_entries(kinds: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add both kinds of entries to the subparsers ``kinds``; ``add`` makes one command of them."""
    odometer = add(
        kinds,
        "odometer",
        "enter what the odometer shows",
        "enter odometer 123456 --unit km",
        _odometer,
    )
    odometer.add_argument("reading", type=float, help="what the instrument shows")
    odometer.add_argument(
        "--sigma", type=float, metavar="M", help="how far it may be off, in metres (default: 300)"
    )
    service = add(
        kinds,
        "service",
        "enter a service that was done",
        "enter service engine-oil --odometer 123456 --unit km --at 2026-11-20",
        _service,
    )
    service.add_argument("item", help="key of the item, such as engine-oil, front-pads or tyres")
    service.add_argument("--odometer", type=float, metavar="READING", help="what the instrument showed then")
    service.add_argument("--note", help="one line for the dealer")
    for command in (odometer, service):
        command.add_argument(
            "--unit", choices=sorted(KM_PER_UNIT), default="km", help="of the odometer (default: %(default)s)"
        )
        command.add_argument("--at", help="when that was, such as 2026-11-20 (default: now)")
        command.add_argument(
            "--force", action="store_true", help="whatever else the agent knows of the odometer"
        )
        command.add_argument("--socket", help="enter there, instead of where the configuration says")


def _odometer(options: argparse.Namespace) -> int:
    stored = _enter(options, {"odometer_km": _km(options.reading, options), "sigma_m": options.sigma})
    goes_on = "; distance is counted on from it" if stored["anchored"] else ""
    print(f"stored: odometer {stored['odometer_km']:,.1f} km{goes_on}")
    return 0


def _service(options: argparse.Namespace) -> int:
    odometer_km = None if options.odometer is None else _km(options.odometer, options)
    stored = _enter(
        options, {"service": options.item, "odometer_km": odometer_km, "note": options.note or None}
    )
    at = "" if stored["odometer_km"] is None else f" at {stored['odometer_km']:,.1f} km"
    print(f"stored: {stored['service']}{at}")
    return 0


def _km(reading: float, options: argparse.Namespace) -> float:
    return float(reading * KM_PER_UNIT[options.unit])


def _enter(options: argparse.Namespace, entry: dict[str, Any]) -> dict[str, Any]:
    from milepost_agent.config import load  # noqa: PLC0415  (other commands stay quick)
    from milepost_agent.entry.client import enter  # noqa: PLC0415
    from milepost_agent.parts import entry_socket  # noqa: PLC0415

    path = Path(options.socket) if options.socket else entry_socket(load(options.config))
    whole = {**entry, "at": options.at, "force": options.force or None}
    return enter(path, {name: value for name, value in whole.items() if value is not None})

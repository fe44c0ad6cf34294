"""What the demo says at its end: the pages to look at, and what each of them shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.demo.processes import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from milepost_simulator.demo.desk import Scored
    from milepost_simulator.demo.live import LiveCar

OWNERS_SHOWN = 3


class Sights(NamedTuple):
    """What there is to look at.

    Attributes:
        url: of the server.
        names: owners' names by VIN.
        owner_names: owners' names by the server's ids.
        scored: owners, the likeliest first.
        slipped: the server's id of the car with a misread odometer, None where none is.
    """

    url: str
    names: Mapping[str, str]
    owner_names: Mapping[int, str]
    scored: Sequence[Scored]
    slipped: int | None


def readiest(sights: Sights) -> Iterator[str]:
    """The owners who are likeliest to replace a car, with the reason that counts most."""
    basis = "from published figures, not learned" if all(one.is_prior for one in sights.scored) else "learned"
    yield f"Who may want another car ({basis}), of {len(sights.scored)} owners:"
    for one in sights.scored[:OWNERS_SHOWN]:
        first = one.first_reason
        why = "nothing but what all owners start with" if first is None else first.words
        yield f"    {sights.owner_names[one.owner_id]}, {one.score} points: {why}"


def pages(sights: Sights, cars: Sequence[LiveCar]) -> Iterator[str]:
    """Each page with its address."""
    url = sights.url
    yield f"whom to call about service: {url}/owners"
    yield f"whom to call about another car: {url}/sales"
    for one in sights.scored[:1]:
        yield f"why {sights.owner_names[one.owner_id]} comes first there: {url}/owners/{one.owner_id}"
    for car in cars:
        if car.is_recorded or car.faults:
            what = "whose car replays a drive" if car.is_recorded else "whose engine is about to misfire"
            yield f"the owner {what}: {sights.names[car.vehicle.vin]}, {url}/owners?q={car.vehicle.vin}"
    if sights.slipped is not None:
        yield f"an odometer reading that was not believed: {url}/vehicles/{sights.slipped}/odometer"
    yield f"how well dates and scores have held: {url}/accuracy"
    yield f"what could not be understood (nothing, here): {url}/quarantine"


def commands(folder: Path, config: Path | None) -> Iterator[str]:
    """What to type; ``config`` is that of an agent."""
    if config is not None:
        yield f"how an agent is: {program('milepost-agent')} status --config {config}"
    yield f"go on with all this after Ctrl-C: {program('milepost-sim')} demo --keep --folder {folder}"

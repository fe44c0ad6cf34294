"""What a device says of itself, for tests of the server."""

from __future__ import annotations

from milepost_protocol.device_documents import Birth, Refusal, Reported
from support.batches import DEVICE

RUN, NEXT_RUN = "1" * 16, "2" * 16


def birth(run: str = RUN, connection: int = 1, revision: int | None = None, device: str = DEVICE) -> Birth:
    return Birth(
        device=device,
        run=run,
        connection=connection,
        agent="0.1.0",
        vss="6.0",
        epoch="9f3a1c77e0b24d51",
        catalogue="0" * 16,
        signals=("Vehicle.TraveledDistance",),
        sources=("elm327",),
        clock="synced",
        at_ms=1_795_000_000_000,
        started_ms=1_795_000_000_000,
        boot="boot-1",
        revision=revision,
    )


def reported(revision: int | None = None, refused: Refusal | None = None, device: str = DEVICE) -> Reported:
    return Reported(device, revision, {"log": {"level": "info"}}, None, refused, ("log.level",))

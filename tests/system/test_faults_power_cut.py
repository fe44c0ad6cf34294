"""Power cuts under the real SQLite file: writes are recorded, disks that cuts could leave are opened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.cut_images import judge, record, some_images
from support.long_runs import tally, times
from support.recorded_life import KINDS

SEED = 20261122
MUTANT_IMAGES = 60
IMAGES = times(100, 2000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_power_cut_takes_nothing_that_was_stored(kind: str) -> None:
    recording = record(kind, SEED)
    verdict = judge(recording, some_images(recording, IMAGES))
    tally(f"power cuts, {kind}", verdict.images, verdict.lost, verdict.doubled)
    assert verdict.images == IMAGES
    assert verdict.failures == [], "\n".join(verdict.failures)
    assert (verdict.lost, verdict.doubled) == (0, 0)


@pytest.mark.parametrize("forgotten", ["S", "F"])
def test_a_disk_that_is_never_asked_to_sync_would_be_caught(forgotten: str) -> None:
    honest = record("ordinary", SEED)
    events = [event for event in honest.events if event.kind != forgotten]
    images = [image for image in some_images(honest, MUTANT_IMAGES) if image.at < len(events)]
    # Without a synced name there is no file after the cut: a new epoch, and all that was stored is missing.
    assert judge(replace(honest, events=events), images).lost > 0

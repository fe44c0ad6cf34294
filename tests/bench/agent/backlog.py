"""Memory of an agent that drives for days without a link, its days passing quickly."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.agent import job, proc
from bench.agent.milepost import made
from support.ports import free_port

DAYS = 7
DAY_S = 86_400
SPEED = 600
"""24,000 readings a second; days would take days."""
WARM_DAYS = 0.5
"""The buffer's caches and the heap fill at first; that is no growth."""
LOOK_S = 5.0


def measure() -> dict[str, float]:
    """``rss_slope_mb_per_day``: MB of 10^6 bytes a day of the car, after the first half day."""
    looks: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay = folder / "job.csv"
        print(f"  writing {DAYS} days of the job", flush=True)
        job.write_replay(replay, DAYS * DAY_S, 1)
        # Nobody listens there.
        agent = made(folder / "agent", free_port(), [{"kind": "replay", "file": str(replay), "speed": SPEED}])
        agent.start()
        agent.status()
        start_s = time.monotonic()
        try:
            while (day := (time.monotonic() - start_s) * SPEED / DAY_S) < DAYS:
                looks.append((day, proc.look(agent.pid).rss_mb))
                print(f"  day {day:.1f} of {DAYS}: {looks[-1][1]:.1f} MB", end="\r", flush=True)
                time.sleep(LOOK_S)
            waiting = agent.status()["buffer"]["waiting"]
        finally:
            agent.kill()
    warm = [look for look in looks if look[0] >= WARM_DAYS]
    slope = statistics.linear_regression(*zip(*warm, strict=True)).slope
    return {"rss_slope_mb_per_day": slope, "backlog_days": DAYS, "backlog_samples": waiting}

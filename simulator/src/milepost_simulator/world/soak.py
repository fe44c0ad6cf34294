"""Many histories, on several processes: what they came to together, and which seeds broke a promise."""

from __future__ import annotations

import concurrent.futures
import gc
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.world.draw import draw
from milepost_simulator.world.history import play

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEEDS_A_JOB = 20
MAXIMA = frozenset({"bytes_max", "drain_s_max"})
"""Counts that are the largest of all histories, not their sum."""


class Failure(NamedTuple):
    """A seed that broke a promise, and the first one that it broke."""

    seed: int
    violations: Sequence[str]


@dataclass(slots=True)
class Tally:
    """What histories came to.

    Attributes:
        runs: histories played.
        virtual_s: time that passed in them.
        wall_s: time that they took here.
    """

    runs: int = 0
    virtual_s: float = 0.0
    wall_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what others came to; ``wall_s`` is the caller's."""
        self.runs += other.runs
        self.virtual_s += other.virtual_s
        for name, count in other.counts.items():
            self.counts[name] = max(self.counts[name], count) if name in MAXIMA else self.counts[name] + count
        self.failures += other.failures

    @property
    def runs_a_minute(self) -> float:
        return 60 * self.runs / self.wall_s if self.wall_s else 0.0

    def figures(self) -> dict[str, object]:
        """The figures that benchmarks show."""
        counts = self.counts
        return {
            "runs": self.runs,
            "runs_per_minute": round(self.runs_a_minute),
            "virtual_hours": round(self.virtual_s / 3600, 1),
            "power_cuts": counts["power_cut"],
            "kills": counts["kill"],
            "stored": counts["stored"],
            "lost": counts["lost"],
            "doubled": counts["doubled"],
            "in_gaps": counts["in_gaps"],
            "violations": len(self.failures),
        }


def play_all(seeds: Sequence[int]) -> Tally:
    """Play these seeds here, one after another."""
    tally = Tally()
    gc.collect()
    gc.freeze()  # what is there now need not be looked through after each history
    try:
        for seed in seeds:
            _play_into(tally, seed)
    finally:
        gc.unfreeze()
    return tally


def _play_into(tally: Tally, seed: int) -> None:
    try:
        verdict = play(draw(seed))
    except Exception as error:  # noqa: BLE001  (whatever ends a history: its seed is told, the others go on)
        tally.runs += 1
        tally.failures.append(Failure(seed, (f"the history ended with {type(error).__name__}: {error}",)))
        return
    tally.add(Tally(1, verdict.virtual_s, counts=verdict.counts))
    if verdict.violations:
        tally.failures.append(Failure(seed, verdict.violations))


def soak(first_seed: int, runs: int, jobs: int) -> Iterator[Tally]:
    """Play ``runs`` seeds on ``jobs`` processes; yields what all so far came to, again and again."""
    seeds = range(first_seed, first_seed + runs)
    shares = [seeds[start : start + SEEDS_A_JOB] for start in range(0, runs, SEEDS_A_JOB)]
    total = Tally()
    start_s = time.monotonic()
    # Not forked: the registration of the VFS belongs to the process that made it.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for done in concurrent.futures.as_completed(pool.submit(play_all, share) for share in shares):
            total.add(done.result())
            total.wall_s = time.monotonic() - start_s
            yield total

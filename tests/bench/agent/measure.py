"""All figures of the agent, with its rivals at the same job in the same run: ``make bench-agent``."""

from __future__ import annotations

import compileall
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.agent import backlog, draining, starting
from bench.agent.contender import Outage, Steady
from bench.agent.milepost import Milepost
from bench.agent.mosquitto_bridge import TUNED, MosquittoBridge
from bench.agent.thingsboard import ThingsBoardGateway
from bench.figures import FOLDER, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.agent.contender import Contender

STEADY_S = 120
STEADY_ROUNDS = 3
OUTAGE_SAMPLES = 200_000
SETTLE_S = 40.0
"""Longer than the agent's longest wait for a commit: whoever stores at all has stored by then."""
DRAIN_SAMPLES = 1_000_000
DRAIN_ROUNDS = 3
LINK_BYTES_PER_S = 8_000
"""64 kbit/s."""
WORLD_RUNS = 10_000
WORLD = FOLDER / "world.json"
CRASHES = FOLDER / "crash.report"
PARTS = FOLDER / "agent-parts.report"
RIVALS = ROOT / "build" / "rivals"


def measure() -> dict[str, Any]:
    """The figures by key, the table with a row for each contender; takes up what an interrupted run has."""
    _compile()
    rows = [_part(contender.name, functools.partial(_row, contender)) for contender in _contenders()]
    ours, *rivals = rows
    figures = {
        "what": __doc__,
        **_kept(_part("histories", _simulate)),
        **{key: ours[key] for key in Steady._fields},
        **_part("starts", starting.measure),
        **_part("drains", _drains),
        **_part("backlog", backlog.measure),
        **{f"rival_{_key(row['contender'])}_{key}": row[key] for row in rivals for key in _SHOWN},
        "table": rows,
    }
    PARTS.unlink()
    return figures


def _part(name: str, measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = json.loads(PARTS.read_text()) if PARTS.exists() else {}
    if name in parts:
        print(f"{name}: as the interrupted run has measured it")
    else:
        parts[name] = measured()
        FOLDER.mkdir(parents=True, exist_ok=True)
        PARTS.write_text(json.dumps(parts))
    return parts[name]


def measure_ours() -> dict[str, Any]:
    """The figures of the last whole run, with our row and our starts anew, and what was lost since.

    For a change of the agent: run ``make soak`` and ``make crash`` before it.

    Raises:
        FileNotFoundError: there was no whole run yet.
    """
    last = json.loads((FOLDER / "agent.json").read_text())
    _compile()
    ours = _row(Milepost())
    table = [ours, *(row for row in last["table"] if row["contender"] != ours["contender"])]
    anew = (
        {key: ours[key] for key in Steady._fields} | starting.measure() | _kept(json.loads(WORLD.read_text()))
    )
    return last | anew | {"table": table}


_SHOWN = (*Steady._fields, *Outage._fields)


def _compile() -> None:
    """A device runs compiled code; so does this, whatever the caller's environment says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT / "agent", quiet=1)
    compileall.compile_dir(ROOT / "protocol", quiet=1)


def _contenders() -> list[Contender]:
    return [
        Milepost(),
        MosquittoBridge("Mosquitto bridge, default"),
        MosquittoBridge("Mosquitto bridge, tuned", TUNED),
        ThingsBoardGateway(RIVALS / "bin" / "thingsboard-gateway"),
    ]


def _key(name: str) -> str:
    return "_".join(word for word in name.lower().replace(",", "").replace("-", " ").split())


def _row(contender: Contender) -> dict[str, Any]:
    """Medians of the steady job, and one outage."""
    print(f"{contender.name}", flush=True)
    # On a disk, not in memory: the kernel is to count what is written.
    FOLDER.mkdir(parents=True, exist_ok=True)
    steady = []
    for _ in range(STEADY_ROUNDS):
        with tempfile.TemporaryDirectory(dir=FOLDER) as name, contender.running(Path(name)) as run:
            steady.append(run.steady(STEADY_S))
    with tempfile.TemporaryDirectory(dir=FOLDER) as name, contender.running(Path(name)) as run:
        outage = run.outage(OUTAGE_SAMPLES, SETTLE_S)
    medians = Steady(*(statistics.median(column) for column in zip(*steady, strict=True)))
    print(f"  {medians}\n  {outage}", flush=True)
    return {"contender": contender.name, **medians._asdict(), **outage._asdict()}


def _drains() -> dict[str, float]:
    rates = []
    for turn in range(DRAIN_ROUNDS):
        print(f"  draining {DRAIN_SAMPLES:,} samples, {turn + 1} of {DRAIN_ROUNDS}", flush=True)
        drained = draining.drain(DRAIN_SAMPLES)
        rates.append(drained.samples / drained.spent_s)
    slow = draining.drain(DRAIN_SAMPLES, LINK_BYTES_PER_S)
    return {
        "drain_samples_per_s": statistics.median(rates),
        "drain_link_share": slow.payload_bytes / slow.spent_s / LINK_BYTES_PER_S,
    }


def _simulate() -> dict[str, Any]:
    # A history that breaks a promise is told, and no reason to lose the other figures.
    command = [Path(sys.executable).with_name("milepost-sim"), "world", "--runs", str(WORLD_RUNS)]
    subprocess.run([*command, "--json", WORLD], check=False)
    told: dict[str, Any] = json.loads(WORLD.read_text())
    return told


def _kept(simulated: dict[str, Any]) -> dict[str, int]:
    """What was lost and doubled in simulated histories, and in the crash tests if ``make crash`` was run."""
    told = {"simulated_runs": simulated}
    broken = {"broken_promises": simulated["violations"]}
    if CRASHES.exists():
        told["crash_runs"] = json.loads(CRASHES.read_text())
        broken["failed_crash_groups"] = told["crash_runs"]["failed"]
    together = {key: sum(part[key] for part in told.values()) for key in ("lost", "doubled", "runs")}
    return together | broken | {name: part["runs"] for name, part in told.items()}

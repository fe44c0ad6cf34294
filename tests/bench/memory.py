"""Resident memory of the agent: as it loads, one after the other, what it is made of, and as it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

from bench.agent import job, milepost
from bench.agent.proc import look
from support import unit
from support.mosquitto import Mosquitto

STEPS = (
    ("the interpreter", "sys"),
    ("asyncio, with TLS", "asyncio"),
    ("sqlite3", "sqlite3"),
    ("zstandard and msgpack", "zstandard, msgpack"),
    ("the agent's own modules", "milepost_agent.service"),
    ("pyserial, for an adapter on a serial port", "serial"),
    ("the parser of the command line", "milepost_agent.cli"),
)
WITHOUT = (
    ("aiomqtt, which the agent does without", "aiomqtt"),
    ("pydantic, which the agent does without", "pydantic.main"),
)
LOOK = "print(int(open('/proc/self/statm').read().split()[1]) * {page} / 1e6)"
RUN_S = 40
SEED = 1
PLAIN = "plain MB"
AS_UNIT = "as by the unit MB"


def measure() -> dict[str, Any]:
    """The table, in MB of 10^6 bytes, each step with all before it; and the agent at the benchmarks' job."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    flags, environment = unit.flags(), unit.environment()
    loaded = list(accumulate((modules for _, modules in STEPS), _join))
    rows = [(name, modules) for (name, _), modules in zip(STEPS, loaded, strict=True)]
    rows += [(name, _join(loaded[-1], modules)) for name, modules in WITHOUT]
    table = [
        {"loaded": name, PLAIN: _loaded_mb([], {}, modules), AS_UNIT: _loaded_mb(flags, environment, modules)}
        for name, modules in rows
    ]
    plain_mb, unit_mb = _running_mb(as_unit=False), _running_mb(as_unit=True)
    what = f"the agent, after {RUN_S} s with {job.SIGNALS} signals at 1 Hz"
    table.append({"loaded": what, PLAIN: plain_mb, AS_UNIT: unit_mb})
    for row in table:
        print(f"{row['loaded']:50} {row[PLAIN]:5.1f} MB  {row[AS_UNIT]:5.1f} MB")
    return {
        "what": "Resident memory of a process after the imports, each row with those above it (the last ones "
        "with the agent's); by the unit: with the flags and variables of `deploy/systemd`.",
        "rss_mb_as_unit": unit_mb,
        "rss_mb_plain": plain_mb,
        "table": table,
    }


def _join(before: str, more: str) -> str:
    return f"{before}, {more}"


def _loaded_mb(flags: list[str], environment: dict[str, str], modules: str) -> float:
    program = f"import {modules}\n" + LOOK.format(page=os.sysconf("SC_PAGE_SIZE"))
    command = [sys.executable, *flags, "-c", program]
    # Twice: the first run may have to compile.
    for _ in "12":
        done = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, check=True
        )
    return float(done.stdout)


def _running_mb(*, as_unit: bool) -> float:
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder) / "mosquitto") as broker:
        replay = Path(folder) / "job.csv"
        job.write_replay(replay, 2 * RUN_S, SEED)
        agent = milepost.made(Path(folder), broker.port, [{"kind": "replay", "file": str(replay)}])
        agent.as_unit = as_unit
        agent.start()
        try:
            agent.status()
            time.sleep(RUN_S)
            return look(agent.pid).rss_mb
        finally:
            agent.kill()

"""Resident memory of a Python process as it loads, one after the other, what the agent is made of."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import accumulate
from typing import Any

STEPS = (
    ("the interpreter", "sys"),
    ("asyncio, with TLS", "asyncio"),
    ("sqlite3", "sqlite3"),
    ("zstandard and msgpack", "zstandard, msgpack"),
    ("pyserial", "serial"),
    ("the agent's own modules", "milepost_agent.agent, milepost_agent.cli"),
    ("aiomqtt, which the agent does without", "aiomqtt"),
    ("pydantic, which the agent does without", "pydantic.main"),
)
LOOK = "print(int(open('/proc/self/statm').read().split()[1]) * {page} / 1e6)"


def measure() -> dict[str, Any]:
    """The table, in MB of 10^6 bytes, each step with all before it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    table = [
        {"loaded": name, "resident MB": _resident_mb(modules)}
        for (name, _), modules in zip(STEPS, accumulate((step[1] for step in STEPS), _join), strict=True)
    ]
    for row in table:
        print(f"{row['loaded']:42} {row['resident MB']:5.1f} MB")
    return {
        "what": "Resident memory of a process after the imports, each row with all rows above it.",
        "table": table,
    }


def _join(before: str, more: str) -> str:
    return f"{before}, {more}"


def _resident_mb(modules: str) -> float:
    program = f"import {modules}\n" + LOOK.format(page=os.sysconf("SC_PAGE_SIZE"))
    # Twice: the first run may have to compile.
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in "12"
    ]
    return float(runs[-1].stdout)

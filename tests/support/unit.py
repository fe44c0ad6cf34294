"""The service unit of the agent, and how it starts the agent, for tests and benchmarks that do the same."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "milepost-agent.service"
CACHE = "pycache_prefix"
CACHE_FOLDER = ROOT / "build" / "pycache"


def settings() -> dict[str, str]:
    """The last value of each setting of the unit."""
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", maxsplit=1) for line in lines)


def flags() -> list[str]:
    """What the unit tells the interpreter, with a cache of this checkout instead of the machine's."""
    words = shlex.split(settings()["ExecStart"])
    told = words[1 : next(index for index, word in enumerate(words) if word.endswith("/serve"))]
    return [f"{CACHE}={CACHE_FOLDER}" if word.startswith(CACHE) else word for word in told]


def command(config: Path) -> list[str]:
    """The unit's command with this Python, from this environment instead of the package's folder."""
    return [sys.executable, *flags(), "-m", "milepost_agent.service", str(config)]


def environment() -> dict[str, str]:
    """The variables that the unit sets."""
    lines = re.findall(r"^Environment=(.+)$", UNIT.read_text(), flags=re.MULTILINE)
    return dict(pair.split("=", maxsplit=1) for line in lines for pair in shlex.split(line))

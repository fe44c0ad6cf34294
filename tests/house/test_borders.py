"""Who may import whom, and what the light agent must never load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOO_HEAVY_FOR_THE_AGENT = {
    "pydantic",
    "numpy",
    "fastapi",
    "sqlalchemy",
    "click",
    "can",
    "cantools",
    "structlog",
    "aiomqtt",
    "paho",
    "urllib.request",
    "http",
    "milepost_server",
}


def test_imports_go_in_one_direction() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_agent_loads_nothing_heavy() -> None:
    program = "import sys, milepost_agent.cli, milepost_agent.agent; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not TOO_HEAVY_FOR_THE_AGENT & set(loaded.stdout.split())

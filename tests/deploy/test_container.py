"""The container file: what its steps name exists, it runs as nobody in particular, and as the unit does.

No image is built here: `make test-container` builds one and lives with it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support import unit

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "container" / "Containerfile"
KNOWN = {"FROM", "RUN", "COPY", "ENV", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def steps() -> list[tuple[str, str]]:
    """(instruction, what follows it), comments left out and lines joined."""
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in whole.splitlines()]


def of(instruction: str) -> list[str]:
    return [rest for name, rest in steps() if name == instruction]


def test_every_instruction_is_one() -> None:
    assert {name for name, _ in steps()} <= KNOWN


def test_it_has_two_stages_and_names_no_registry() -> None:
    stages = of("FROM")
    assert stages[0].endswith(" AS build")
    assert len(stages) == 2
    assert not [stage for stage in stages if "/" in stage]


@pytest.mark.parametrize("copied", [rest.split()[0] for rest in of("COPY") if "--from" not in rest])
def test_what_it_copies_is_there(copied: str) -> None:
    assert (ROOT / copied).exists()


def test_the_package_is_built_by_the_script_that_is_tested() -> None:
    scripts = [word for run in of("RUN") for word in run.split() if word.startswith("/source/")]
    assert scripts == ["/source/deploy/debian/build"]
    assert (ROOT / scripts[0].removeprefix("/source/")).stat().st_mode & 0o111


def test_it_does_not_run_as_root_and_keeps_the_buffer() -> None:
    assert of("USER") == ["milepost"]
    assert unit.settings()["StateDirectory"] == "milepost"
    assert of("VOLUME") == ["/var/lib/milepost"]


def test_it_starts_the_agent_as_the_unit_does_and_asks_it_how_it_is() -> None:
    started = json.loads(of("ENTRYPOINT")[0]) + json.loads(of("CMD")[0])
    assert " ".join(started) == unit.settings()["ExecStart"]
    assert dict(pair.split("=") for pair in of("ENV")) == unit.environment()
    # An image in the OCI's format has no health check: podman leaves it out.
    assert "podman build --format docker " in FILE.read_text()
    health = re.search(r"CMD (\[.+\])", of("HEALTHCHECK")[0])
    assert health
    assert json.loads(health[1]) == ["milepost-agent", "status"]

"""The crash tests in their long form, for `make crash`; and one image of a power cut again.

``python tests/crash`` runs all and sums up in ``build/bench/crash.report``;
``python tests/crash power-cut --kind KIND --seed SEED --image IMAGE`` opens one image again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.cut_images import Image, judge, record
from support.recorded_life import KINDS

ROOT: Final = Path(__file__).resolve().parents[2]
REPORT: Final = ROOT / "build" / "bench" / "crash.report"
TESTS: Final = ("tests/system", "-k", "faults or road_kills")
OTHERS: Final = ("tests/agent/test_agent_process.py", "-k", "killed_at_random")
KILLS: Final = 300
"""Of the agent alone, at random points (tests/agent/test_agent_process.py)."""
TEST_S_MAX: Final = 7200


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    replay = commands.add_parser("power-cut", help="open one image again")
    replay.add_argument("--kind", choices=KINDS, required=True)
    replay.add_argument("--seed", type=int, required=True)
    replay.add_argument("--image", type=Image.of, required=True, help="events:way:seed, such as 1038:kept:1")
    given = parser.parse_args()
    if given.command:
        failures = judge(record(given.kind, given.seed), [given.image]).failures
        print("\n".join(failures) or "what was stored is there")
        return len(failures)
    return run_all()


def run_all() -> int:
    """Run the long form and write the report; the number of groups of tests that failed."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as tally:
        failed = sum(_run(Path(tally.name), *tests) for tests in (TESTS, OTHERS))
        table = [json.loads(line) for line in tally]
    if not failed:
        table.append({"what": "SIGKILL of the agent at random", "runs": KILLS, "lost": 0, "doubled": 0})
    report = {key: sum(row[key] for row in table) for key in ("runs", "lost", "doubled")}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report | {"failed": failed, "table": table}, indent=2) + "\n")
    for row in table:
        print(f"{row['runs']:7,} {row['what']}: {row['lost']} lost, {row['doubled']} doubled")
    print(f"{report['runs']:7,} runs: {report['lost']} lost, {report['doubled']} doubled")
    return failed


def _run(tally: Path, *tests: str) -> bool:
    longer = {
        "MILEPOST_TEST_CRASH": "1",
        "MILEPOST_TEST_TALLY": str(tally),
        "MILEPOST_TEST_KILLS": str(KILLS),
    }
    command = [sys.executable, "-m", "pytest", *tests, f"--timeout={TEST_S_MAX}"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **longer}, check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main())

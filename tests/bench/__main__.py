"""Runs the benchmarks: ``make bench``, ``bench-agent``, ``bench-signals``, or ``python tests/bench wire``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # seconds are those of one core

from bench import figures, memory, road, wire
from bench.agent import measure as agent
from bench.signals import measure as signals

OURS = "-ours"
"""Measures a part anew and puts it into the file of the whole."""
ORDINARY = ("wire", "memory", "road")
BENCHMARKS = {
    "wire": wire.measure,
    "memory": memory.measure,
    "road": road.measure,
    "agent": agent.measure,
    "agent-ours": agent.measure_ours,
    "signals": signals.measure,
}


def main() -> None:
    """Run the benchmarks that are named, or all, and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python tests/bench wire")
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*BENCHMARKS, []],
        help=f"which to run; none: {', '.join(ORDINARY)}",
    )
    for name in parser.parse_args().names or ORDINARY:
        print(f"== {name}", flush=True)
        figures.write(name.removesuffix(OURS), BENCHMARKS[name]())
    figures.write_pages()


if __name__ == "__main__":
    main()

"""Runs the benchmarks: ``make bench``, or ``python -m tests.bench wire``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import figures, memory, road, wire

BENCHMARKS = {"wire": wire.measure, "memory": memory.measure, "road": road.measure}


def main() -> None:
    """Run the benchmarks that are named, or all, and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m tests.bench wire")
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHMARKS, []], help="which to run; all if none is named"
    )
    for name in parser.parse_args().names or BENCHMARKS:
        print(f"== {name}", flush=True)
        figures.write(name, BENCHMARKS[name]())
    figures.write_page()


if __name__ == "__main__":
    main()

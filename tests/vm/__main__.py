"""The agent's Debian package in a virtual machine, for `make test-vm`; deploy/debian/try-vm makes its disks.

``python tests/vm --work build/vm --cuts 10 --seed 1`` boots it, takes the steps one after the other, says
what each has seen, and returns the number of those that failed. Logs stay in ``build/vm/logs``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.machine import Machine
from support.receipts import ReceiptGiver
from vm import cuts, steps
from vm.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Step = Callable[[Trial], Awaitable[str]]

FIRST = (("boots", steps.boots), ("installs", steps.installs))
WITH_POWER = (
    ("becomes ready", steps.becomes_ready),
    ("reads, stores and publishes", steps.stores_and_publishes),
    ("is kept in", steps.is_kept_in),
    ("systemd-analyze security", steps.exposure),
    ("status, config check, doctor", steps.explains_itself),
    ("hangs once", steps.hangs_once),
    ("disk goes read-only and back", steps.goes_read_only),
    ("contract of every bus", steps.bus_contract),
)
LAST = (("account of all seqs", cuts.account), ("stops", steps.stops))


async def main() -> int:
    """The number of steps that failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, required=True, help="folder with the disks, the kernel and its initrd"
    )
    parser.add_argument("--cuts", type=int, default=10, help="how many power cuts (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000, help="of moments and losses")
    given = parser.parse_args()
    # A lost connection is expected here; what its client left unread of it need not be told.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    logs = given.work / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    print(f"seed {given.seed}; logs in {logs}", flush=True)
    machine = Machine(given.work, logs)
    trial = Trial(machine, ReceiptGiver(machine.broker_port), Random(given.seed))
    try:
        table = await _take(trial, given.cuts)
        if machine.is_running:
            (logs / "journal.txt").write_text((await machine.run("journalctl --no-pager -b")).output)
            await machine.power_off()
    finally:
        await machine.close()
    failed = [name for name, is_good in table if not is_good]
    print(
        f"{len(table) - len(failed)} passed, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}"
    )
    return len(failed)


async def _take(trial: Trial, number: int) -> list[tuple[str, bool]]:
    """Take all steps; without a machine with the package in it there is nothing more to see."""
    rest: list[tuple[str, Step]] = [*WITH_POWER, *cuts.steps(number), *LAST]
    total = len(FIRST) + len(rest)
    table = []
    for name, step in FIRST:
        table.append((name, await _is_good(trial, f"{len(table) + 1} of {total} {name}", step)))
        if not table[-1][1]:
            return table
    async with trial.server:
        for name, step in rest:
            table.append((name, await _is_good(trial, f"{len(table) + 1} of {total} {name}", step)))
            if not trial.machine.is_running:
                break
    return table


async def _is_good(trial: Trial, label: str, step: Step) -> bool:
    print(f"step {label} ...", flush=True)
    began_s = time.monotonic()
    try:
        seen = await step(trial)
    except (AssertionError, OSError, TimeoutError) as error:
        print(
            f"  FAILED after {time.monotonic() - began_s:.0f} s: {error or error.__class__.__name__}",
            flush=True,
        )
        with (trial.machine.logs / "failures.txt").open("a") as file:
            traceback.print_exc(file=file)
        return False
    print(f"  ok: {seen} ({time.monotonic() - began_s:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

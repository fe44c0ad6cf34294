"""Agents whose every row can be told apart, and the check that each row arrived once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.agents import COUNTER, EVERY_ROW, AgentProcess, write_drive
from support.stores import DEVICE
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.receipts import ReceiptGiver

ROWS = 20_000
STEP_S = 0.003
"""A minute in all: whatever is done to an agent while it samples has that long to come."""


def counting_agent(
    folder: Path, port: int, *, rows: int = ROWS, within: Sequence[str] = (), **sections: Any
) -> AgentProcess:
    """An agent that stores a counter from 0 to ``rows`` - 1, one each ``STEP_S``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_drive(folder / "drive.csv", 0, rows, STEP_S)
    source = {"kind": "replay", "file": str(folder / "drive.csv")}
    whole = {"source": [source], "profile": EVERY_ROW} | sections
    return AgentProcess(folder, port, whole, within=within)


def counted(server: ReceiptGiver) -> list[int]:
    """The counter's values that the server has, in the order of epoch and seq."""
    return [
        int(str(sample.value).partition(".")[0])
        for (device, _), committed in server.epochs.items()
        if device == DEVICE
        for _, sample in sorted(committed.samples.items())
        if sample.signal == COUNTER
    ]


def told_as_lost(server: ReceiptGiver) -> int:
    """How many seqs the server knows as gaps."""
    return sum(len(committed.lost) for committed in server.epochs.values())


async def rows_so_far_once(agent: AgentProcess, server: ReceiptGiver) -> int:
    """Wait until the server has each row that was sampled up to now; how many.

    Fails where a row comes twice, or out of order. What is fresh may be there before a backlog is.
    """
    sampled = min(agent.status()["samples"]["sampled"], ROWS)
    await until(lambda: set(range(sampled)) <= set(counted(server)), f"{sampled} rows")
    values = counted(server)
    assert values == sorted(set(values)), "a row came twice, or out of order"
    assert told_as_lost(server) == 0
    return sampled

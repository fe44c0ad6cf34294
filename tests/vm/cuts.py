"""Power cuts in mid work, and the account: what was said to be stored is there, once, as it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from support.power_cut import WAYS
from support.waiting import until
from vm.trial import LONG_S

if TYPE_CHECKING:
    from milepost_protocol.samples import Sample
    from vm.trial import Trial

STORES_MIN: Final = 20
WORKS_S: Final = (2.0, 20.0)
"""How long it stores before the plug is pulled."""
PROMISED: Final = ("corrupt_files", "waiting_gaps", "waiting_gap_samples")


async def cut(trial: Trial, number: int) -> str:
    """Pull the plug at a random moment, boot, and look at the buffer."""
    machine, way = trial.machine, WAYS[number % len(WAYS)]
    # Every other time the server commits and says nothing, so that more than the last samples wait.
    trial.server.is_mute = number % 2 == 1
    await trial.tell()
    await until(lambda: _stored(trial) > STORES_MIN, "samples are being stored", LONG_S)
    await asyncio.sleep(trial.random.uniform(*WORKS_S))
    lost = await machine.cut(way, trial.random)
    told = machine.told[-1]
    trial.server.is_mute = False
    boot_s = await machine.boot()
    await trial.is_running()
    buffer = (await trial.status())["buffer"]
    assert buffer["epoch"] == told["epoch"], f"another epoch: {told}, then {buffer}"
    assert buffer["stored_seq"] >= told["stored_seq"], f"stored was lost: {told}, then {buffer}"
    assert not any(buffer[name] for name in PROMISED), buffer
    assert not any(buffer["lost_in_memory"].values()), buffer
    journal = await trial.journal()
    assert "damage" not in journal, journal[-2000:]
    trial.reached = max(trial.reached, told["stored_seq"])
    await trial.drive()
    more = buffer["stored_seq"] - told["stored_seq"]
    return (
        f"at seq {told['stored_seq']} (receipted {told['receipted_seq']}), found {more} more; "
        f"{lost.flushes} flushes, {lost.waiting} writes in the disk's cache: {way}; booted in {boot_s:.0f} s"
    )


def _stored(trial: Trial) -> int:
    """How many samples were stored since the machine began to tell of it."""
    told = trial.machine.told
    return int(told[-1]["stored_seq"] - told[0]["stored_seq"]) if told else 0


async def account(trial: Trial) -> str:
    """Let all of it arrive, then look at every seq that there ever was."""
    await trial.machine.good("systemctl stop car || true", LONG_S)
    await trial.machine.until(
        "milepost-agent status --json | python3 -c '"
        'import json, sys; s = json.load(sys.stdin); b = s["buffer"]; '
        'sys.exit(b["stored_seq"] != b["receipted_seq"] or s["samples"]["in_memory"] > 0)\'',
        "all that is stored has its receipt",
        LONG_S,
    )
    buffer = (await trial.status())["buffer"]
    committed = trial.committed()
    assert set(committed) == {buffer["epoch"]}, f"epochs {sorted(committed)}"
    one = committed[buffer["epoch"]]
    assert buffer["stored_seq"] >= trial.reached
    holes = [seq for seq in range(1, buffer["stored_seq"] + 1) if not one.has(seq)]
    assert not holes, f"{len(holes)} seqs are missing, from {holes[0]} on"
    assert not one.lost, f"{len(one.lost)} seqs are gaps"
    conflicts = _conflicts(trial)
    assert not conflicts, f"{len(conflicts)} seqs came again as something else: {conflicts[:3]}"
    return (
        f"{len(one.samples)} samples, seqs 1 to {buffer['stored_seq']} without a hole; "
        f"{one.resent} came again, unchanged"
    )


def _conflicts(trial: Trial) -> list[tuple[Sample, Sample]]:
    """Samples that came again under the same seq, with another content; a time may have been repaired."""
    first: dict[tuple[str, int], Sample] = {}
    found = []
    for batch in trial.server.batches:
        for sample in batch.samples():
            before = first.setdefault((batch.epoch, sample.seq), sample)
            if (before.signal, before.value) != (sample.signal, sample.value):
                found.append((before, sample))
    return found


def steps(cuts: int) -> list[tuple[str, object]]:
    """The cuts as steps."""

    def one(number: int) -> object:
        return lambda trial: cut(trial, number)

    return [(f"power cut {number + 1} of {cuts}", one(number)) for number in range(cuts)]

"""Recorded lives of a buffer, and the disks that power cuts at any point of them could have left."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from milepost_agent.errors import StoreDamagedError
from support import recorded_life
from support.faulty_disk import FaultyDisk, read_log
from support.power_cut import WAYS, Disk, Way
from support.recorded_life import CAP, SeededEntropy, told
from support.stores import CLOCK, DISK, ODOMETER, open_store, readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from support.faulty_disk import Event

LIVES = 3
LIFE_S_MAX = 120.0
MEMORY = Path("/dev/shm")


class Image(NamedTuple):
    """One power cut: after so many events, what was not synced treated in this way by this seed."""

    at: int
    way: Way
    seed: int

    def __str__(self) -> str:
        return f"{self.at}:{self.way}:{self.seed}"

    @classmethod
    def of(cls, text: str) -> Image:
        """The image that ``str`` wrote."""
        at, way, seed = text.split(":")
        return cls(int(at), next(known for known in WAYS if known == way), int(seed))


@dataclass
class Recording:
    """What the lives of one buffer did to the disk, and what it held after each step."""

    kind: str
    seed: int
    events: Sequence[Event]
    states: Sequence[dict[str, Any]]

    def replay(self, image: Image) -> str:
        """The command that opens this image again."""
        return f"python tests/crash power-cut --kind {self.kind} --seed {self.seed} --image {image}"


@dataclass
class Verdict:
    """Of many images: how many, and what was wrong with them, by the command that replays it."""

    images: int = 0
    lost: int = 0
    doubled: int = 0
    failures: list[str] = field(default_factory=list)


@cache
def record(kind: str, seed: int) -> Recording:
    """Let the buffer of a new folder live ``LIVES`` times."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        below, states, log = Path(name) / "disk", Path(name) / "states", Path(name) / "log"
        below.mkdir()
        states.touch()
        log.touch()
        with FaultyDisk(below, log) as disk:
            for _ in range(LIVES):
                command = [sys.executable, recorded_life.__file__, below, states, kind, str(seed)]
                subprocess.run([*disk.within, *command], check=True, timeout=LIFE_S_MAX)
        lines = states.read_text(encoding="utf-8").splitlines()
        return Recording(kind, seed, list(read_log(log)), [json.loads(line) for line in lines])


def some_images(recording: Recording, count: int) -> list[Image]:
    """``count`` images all over the recording, of all ways in turn; more than there are events is fine."""
    random = Random(f"{recording.kind}-{recording.seed}")
    span = len(recording.events)
    places = random.sample(range(1, span + 1), min(count, span))
    places += random.choices(range(1, span + 1), k=max(0, count - span))
    return sorted(Image(at, WAYS[index % len(WAYS)], index) for index, at in enumerate(places))


def judge(recording: Recording, images: Sequence[Image]) -> Verdict:
    """Open each of ``images``, which come in the order of their places, and hold it to what was promised."""
    verdict = Verdict()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        for index, (image, files, marks) in enumerate(_at_each(recording, images)):
            folder = Path(name) / str(index)
            folder.mkdir()
            for file, content in files.items():
                (folder / file).write_bytes(content)
            trouble = _trouble(recording, folder / "buffer.db", marks, verdict)
            verdict.images += 1
            if trouble:
                verdict.failures.append(f"{trouble}\n    replay: {recording.replay(image)}")
    return verdict


def _at_each(
    recording: Recording, images: Sequence[Image]
) -> Iterator[tuple[Image, Mapping[str, bytes], int]]:
    """For each image its files, and how many steps had been answered before the cut."""
    disk, done, marks = Disk(), 0, 0
    for image in images:
        for event in recording.events[done : image.at]:
            if event.kind == "M":
                marks = int(event.data) + 1
            else:
                disk.feed(event)
        done = image.at
        yield image, disk.after_cut(image.way, Random(f"{image}")), marks


def _trouble(recording: Recording, path: Path, marks: int, verdict: Verdict) -> str:
    """What is wrong with the buffer at ``path`` after a cut behind ``marks`` steps; "" for nothing."""
    states = recording.states[:marks]
    floor = max((index for index, state in enumerate(states) if state["is_durable"]), default=0)
    allowed = [_content(state) for state in recording.states[floor : marks + 1]]
    store = open_store(path, CAP, entropy=SeededEntropy("image"))
    try:
        found = told(store)
        facts = store.facts()
        next_seq = store.current.next_seq
        last = store.commit(readings(1, ODOMETER), {}, CLOCK.read(), DISK)
    except StoreDamagedError as error:
        return str(error)
    finally:
        store.close()
    damages = sum(state["what"] == "salvage" for state in recording.states[: marks + 1])
    if facts.corrupt_files > damages:
        return f"salvaged although nothing was damaged, after step {marks}"
    if last != next_seq:
        return f"the next seq is {last} instead of {next_seq}"
    if marks and found not in allowed:
        _count(found, allowed, verdict)
        return f"after step {marks} ({recording.states[marks - 1]['what']}) it holds something else"
    return ""


def _content(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("streams", "counters")}


def _samples(state: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {(name, seq): row for name, _, _, rows, _ in state["streams"] for seq, row in rows.items()}


def _count(found: Mapping[str, Any], allowed: Sequence[Mapping[str, Any]], verdict: Verdict) -> None:
    """Lost: each state that it may be in has the sample. Doubled: its seq has got another value."""
    held, known = _samples(found), [_samples(state) for state in allowed]
    sure = set.intersection(*(set(state) for state in known))
    verdict.lost += sum(key not in held for key in sure)
    verdict.doubled += sum(key in state and state[key] != row for state in known for key, row in held.items())

"""What an agent has said: every sample at the moment when its commit returned, and what it may delete since.

Kept outside the code under test. ``violations`` are broken promises, in words.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_simulator.world.car import SERIES, is_scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milepost_protocol.receipt import Receipt
    from milepost_protocol.samples import Sample
    from milepost_protocol.signals import Value

VIOLATIONS_MAX: Final = 20


class Fed(NamedTuple):
    """A reading that the source gave out, and the true time then."""

    value: Value
    true_ms: int


class Stored(NamedTuple):
    """A sample as it was first seen in the buffer; ``true_ms`` is None where no script knows of it."""

    sample: Sample
    true_ms: int | None


@dataclass(slots=True)
class Epoch:
    """What is known of one epoch.

    Attributes:
        stored: by seq.
        last: the highest seq that was given out.
        receipted: the highest seq up to which a receipt that reached the agent covers all.
        named: the highest seq that any receipt which reached the agent names.
        excused: up to this seq the file was lost or damaged from outside; what is nowhere else is not
            the agent's to answer for.
        moved_to: where what was left of it got new seqs: epoch, and what to take off a seq.
    """

    stored: dict[int, Stored] = field(default_factory=dict)
    last: int = 0
    receipted: int = 0
    named: int = 0
    excused: int = 0
    moved_to: tuple[str, int] | None = None


class Ledger:
    """The books of one device.

    Args:
        now_s: virtual seconds, for violations.
        trace: what else is to be told of.
        forgives: whether an older copy of the buffer was put back, so that seqs are given out again.
    """

    def __init__(
        self, now_s: Callable[[], float], trace: Callable[[str], None], forgives: Callable[[], bool]
    ) -> None:
        self._now_s = now_s
        self._trace = trace
        self._forgives = forgives
        self._fed: dict[str, deque[Fed]] = {}
        self._limbo: dict[str, deque[Fed]] = {}
        """What waited when an earlier life ended: nobody was told that it is stored, but it may be."""
        self.epochs: dict[str, Epoch] = {}
        self.overwritten: list[tuple[str, Sample]] = []
        """(epoch, sample) under a seq that had another sample before."""
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()

    def violate(self, what: str) -> None:
        """Note a broken promise."""
        self._trace(f"VIOLATION {what}")
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"at {self._now_s():.3f} s: {what}")

    def epoch(self, name: str) -> Epoch:
        """The books of an epoch, opened where it is new."""
        return self.epochs.setdefault(name, Epoch())

    def read(self, signal: str, value: Value, true_ms: int) -> None:
        """The source gives a reading out."""
        self._fed.setdefault(signal, deque()).append(Fed(value, true_ms))
        self.counts["read"] += 1

    @property
    def unaccounted(self) -> int:
        """Readings that were given out and are neither stored nor among the seqs that were gaps at once.

        The series is left out: the agent withholds it as long as its consent is closed.
        """
        if self._forgives():
            return 0
        waiting = sum(len(queue) for signal, queue in self._fed.items() if signal != SERIES)
        gaps = sum(books.last - len(books.stored) for books in self.epochs.values())
        return waiting + self.counts["passed_over"] - gaps

    def end_life(self) -> None:
        """A life has ended: what was only in memory was never promised."""
        self.counts["lost_in_memory"] += sum(map(len, self._fed.values()))
        for signal, queue in self._fed.items():
            self._limbo.setdefault(signal, deque()).extend(queue)
        self._fed = {}

    def looked(self) -> None:
        """All that an earlier life may have left behind has been seen."""
        self._limbo.clear()

    def store(self, epoch: str, samples: Iterable[Sample], *, is_by_tier: bool) -> None:
        """A commit has returned, and these samples were seen there now, in the order of their seqs.

        ``is_by_tier``: it numbered the series so that it can be thinned; when they were read tells the order.
        """
        stored = self.epoch(epoch).stored
        fresh = [sample for sample in samples if self._is_new(epoch, sample)]
        by_tier = [
            sample for sample in fresh if is_by_tier and sample.signal == SERIES and is_scripted(sample)
        ]
        for _, moment in groupby(sorted(by_tier, key=_time_ms), key=_time_ms):
            self._take_moment(list(moment))
        stored.update((sample.seq, Stored(sample, None)) for sample in by_tier)
        for sample in fresh:
            if sample.seq not in stored:
                stored[sample.seq] = Stored(sample, self._take_fed(sample))
        self.counts["stored"] += len(fresh)

    def _is_new(self, epoch: str, sample: Sample) -> bool:
        books = self.epoch(epoch)
        known = books.stored.get(sample.seq)
        if known is not None:
            self._compare(epoch, known.sample, sample)
        elif sample.seq <= books.last and not self._forgives():
            self.violate(f"seq {sample.seq} of {epoch} is given out again, after {books.last}")
        return known is None

    def _compare(self, epoch: str, known: Sample, sample: Sample) -> None:
        if (known.signal, known.value) == (sample.signal, sample.value):
            return
        if self._forgives():
            self.overwritten.append((epoch, sample))
            # What had this seq before is gone from the file.
            books = self.epoch(epoch)
            books.excused = max(books.excused, sample.seq)
            return
        self.violate(
            f"seq {sample.seq} of {epoch} was stored as {known.signal} = {known.value!r:.40}, "
            f"now the buffer has {sample.signal} = {sample.value!r:.40}"
        )

    def _take_fed(self, sample: Sample) -> int | None:
        """The true time of a sample; readings of one signal are stored in their order, none twice."""
        if not is_scripted(sample):
            return None
        for books in (self._limbo, self._fed):
            queue = books.get(sample.signal, deque())
            if any(fed.value == sample.value for fed in queue):
                popped = _pop_up_to(queue, sample)
                if sample.signal == SERIES:
                    return None  # what is withheld leaves no trace here, and values of the series come again
                self.counts["passed_over"] += 0 if books is self._limbo else len(popped) - 1
                return popped[-1].true_ms
        if not self._forgives():
            self.violate(f"{sample.signal} = {sample.value!r:.40} is stored twice, or was never read")
        return None

    def _take_moment(self, samples: Sequence[Sample]) -> None:
        """Take readings of the series that were read at one moment, in whatever order among themselves."""
        wanted = Counter(sample.value for sample in samples)
        for books in (self._limbo, self._fed):
            queue = books.get(SERIES, deque())
            if not wanted - Counter(fed.value for fed in queue):
                while wanted:
                    wanted -= Counter([queue.popleft().value])
                return
        if not self._forgives():
            told = ", ".join(f"{sample.value!r}" for sample in samples)
            self.violate(f"{SERIES} = {told} is stored twice, or was never read")

    def excuse(self, epoch: str) -> None:
        """What was stored of an epoch is lost by what was done to the file from outside."""
        books = self.epoch(epoch)
        books.excused = max(books.excused, books.last)
        self.overwritten = [(name, sample) for name, sample in self.overwritten if name != epoch]

    def deliver(self, receipt: Receipt) -> None:
        """A receipt reaches the agent, which may delete what it covers from now on."""
        books = self.epoch(receipt.epoch)
        books.receipted = max(books.receipted, receipt.seq)
        books.named = max(books.named, receipt.seq, *(last for _, last in receipt.above), 0)


def _time_ms(sample: Sample) -> int:
    return sample.time_ms


def _pop_up_to(queue: deque[Fed], sample: Sample) -> list[Fed]:
    popped = [queue.popleft()]
    while popped[-1].value != sample.value:
        popped.append(queue.popleft())
    return popped

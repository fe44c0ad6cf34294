"""What every accumulator of this room is, and the saved state that they share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

from milepost_agent.errors import EdgeStateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.readings import Reading

State = dict[str, object]


class Accumulator(Protocol):
    """Turns readings into derived readings; all of its time comes in with them.

    Monotonic times mean nothing after a restart of the machine, so ``state`` holds none: what is restored
    never joins a reading of this run to one of the last.
    """

    name: str
    inputs: frozenset[str]

    def feed(self, reading: Reading) -> list[Reading]:
        """What follows from ``reading``, whose signal is one of ``inputs``."""
        ...

    def tick(self, mono_s: float) -> list[Reading]:
        """What follows from time alone."""
        ...

    def state(self) -> State:
        """What has to survive a restart, as JSON can hold it."""
        ...

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up what ``state`` gave, in an accumulator that was fed nothing yet.

        Raises:
            EdgeStateError: not what ``state`` gives.
        """
        ...


class Step(NamedTuple):
    """Two readings of one signal in a row; ``seconds`` is positive."""

    before: float
    after: float
    seconds: float


class Steps:
    """Pairs each reading of one signal with the one before it."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def feed(self, value: float, mono_s: float) -> Step | None:
        """The step that ends here; ``None`` for the first reading, and where time does not grow."""
        last, self._last = self._last, (value, mono_s)
        if last is None or mono_s <= last[1]:
            return None
        return Step(last[0], value, mono_s - last[1])

    def reset(self) -> None:
        """Forget the last reading: what comes next does not join it."""
        self._last = None


def saved_number(part: str, state: Mapping[str, object], key: str, default: float = 0.0) -> float:
    """The finite number >= 0 at ``key`` of a saved state.

    Raises:
        EdgeStateError: it is something else.
    """
    value = state.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise EdgeStateError(part, f"have {value!r} at {key!r}, which should be a number of 0 or more")
    return value


def saved_number_or_none(part: str, state: Mapping[str, object], key: str) -> float | None:
    """As ``saved_number``, and ``None`` where nothing was saved."""
    return None if state.get(key) is None else saved_number(part, state, key)


def saved_strings(part: str, value: object, length_max: int) -> list[str]:
    """A saved list of at most ``length_max`` strings.

    Raises:
        EdgeStateError: it is something else.
    """
    if not isinstance(value, list) or len(value) > length_max or not all(isinstance(v, str) for v in value):
        raise EdgeStateError(part, f"have {str(value)[:64]!r}, which should be at most {length_max} strings")
    return value

"""What goes wrong on a real adapter's line: cut answers, lost prompts, garbage, delays, bus errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_simulator.car.elm327 import PROMPT, Output

if TYPE_CHECKING:
    from random import Random

GARBAGE_BYTES_MAX = 12
BUS_ERRORS = (
    b"CAN ERROR\r\r>",
    b"BUS BUSY\r\r>",
    b"BUFFER FULL\r\r>",
    b"<DATA ERROR\r\r>",
    b"FB ERROR\r\r>",
    b"STOPPED\r\r>",
    b"\r\r\rELM327 v1.5\r\r>",
)


@dataclass(frozen=True, slots=True)
class ChaosRates:
    """Probability of each mishap per command, and the longest extra delay."""

    half_answer: float = 0.0
    lost_prompt: float = 0.0
    garbage: float = 0.0
    silence: float = 0.0
    bus_error: float = 0.0
    delay: float = 0.0
    delay_s_max: float = 0.0


CALM = ChaosRates()
MILD = ChaosRates(0.01, 0.005, 0.01, 0.003, 0.01, 0.05, 0.3)
WILD = ChaosRates(0.06, 0.04, 0.06, 0.03, 0.06, 0.2, 1.0)


class Chaos:
    """Spoils answers at the given rates; ``mishaps`` counts what was done, by kind."""

    def __init__(self, rng: Random, rates: ChaosRates) -> None:
        self._rng = rng
        self._rates = rates
        self.mishaps: Counter[str] = Counter()

    def spoil(self, outputs: list[Output]) -> list[Output]:
        """The outputs of one command as they reach the line."""
        if not any(PROMPT in output.data for output in outputs):
            return outputs
        if self._happens("silence", self._rates.silence):
            return []
        if self._happens("bus_error", self._rates.bus_error):
            return [Output(outputs[-1].delay_s, self._rng.choice(BUS_ERRORS))]
        if self._happens("half_answer", self._rates.half_answer):
            outputs = _first_half(outputs)
        if self._happens("lost_prompt", self._rates.lost_prompt):
            outputs = [output._replace(data=output.data.replace(PROMPT, b"")) for output in outputs]
        if self._happens("garbage", self._rates.garbage):
            noise = self._rng.randbytes(self._rng.randint(1, GARBAGE_BYTES_MAX)).replace(PROMPT, b"\x7f")
            outputs = [Output(0.0, noise), *outputs]
        if self._happens("delay", self._rates.delay):
            late_s = self._rng.uniform(0.0, self._rates.delay_s_max)
            outputs = [outputs[0]._replace(delay_s=outputs[0].delay_s + late_s), *outputs[1:]]
        return outputs

    def _happens(self, kind: str, probability: float) -> bool:
        # The draw is made even at probability zero, so that a rate does not shift the other mishaps.
        happens = self._rng.random() < probability
        self.mishaps[kind] += happens
        return happens


def _first_half(outputs: list[Output]) -> list[Output]:
    """The adapter lost characters in the middle, and goes on with its prompt."""
    whole = b"".join(output.data for output in outputs).replace(PROMPT, b"")
    return [Output(outputs[0].delay_s, whole[: len(whole) // 2] + b"\r\r" + PROMPT)]

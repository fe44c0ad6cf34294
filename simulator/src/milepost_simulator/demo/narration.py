"""What the demo says to whoever watches: one line a fact, with the time since it began."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROGRESS_S = 2.0


class Narrator:
    """Prints lines; ``progress`` is silent where it spoke a moment ago."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._spoke_s = -PROGRESS_S

    @property
    def elapsed_s(self) -> float:
        """Since the demo began."""
        return self._monotonic() - self._began_s

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(f"{self.elapsed_s:6.1f} s  {text}")
        self._spoke_s = self._monotonic()

    def progress(self, text: str) -> None:
        """Print a line, unless the last one is fresh."""
        if self._monotonic() - self._spoke_s >= PROGRESS_S:
            self.say(text)

    def table(self, title: str, rows: Iterable[tuple[str, object]]) -> None:
        """Print facts under each other, numbers with thousands separators to the right."""
        shown = [(name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in rows]
        left = max(len(name) for name, _ in shown)
        right = max(len(value) for _, value in shown)
        click.echo(f"\n{title}\n{'-' * (left + right + 4)}")
        for name, value in shown:
            click.echo(f"{name:<{left}}    {value:>{right}}")
        click.echo("")

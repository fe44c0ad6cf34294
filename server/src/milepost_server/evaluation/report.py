"""What an evaluation found: printed as text, written as JSON and pictures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from milepost_server.evaluation.table import Table


@dataclass(slots=True)
class Report:
    """The result of one evaluation."""

    name: str  # of the evaluation; files begin with it
    title: str
    seed: int
    facts: dict[str, Any] = field(default_factory=dict)  # what was read and with which options
    figures: dict[str, Any] = field(default_factory=dict)  # named numbers, for programs
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # sentences that a reader must know, such as warnings
    pictures: dict[str, str] = field(default_factory=dict)  # SVG text by name

    def text(self) -> str:
        """All of it but the pictures, for people."""
        facts = [f"{key}: {value}" for key, value in {**self.facts, "seed": self.seed}.items()]
        parts = ["\n".join([self.title, *facts]), *(table.text() for table in self.tables)]
        if self.notes:
            parts.append("\n".join(f"Note: {note}" for note in self.notes))
        return "\n\n".join(parts) + "\n"

    def document(self) -> dict[str, Any]:
        """All of it but the pictures, for programs; what is not a number is null."""
        return {
            "evaluation": self.name,
            "title": self.title,
            "seed": self.seed,
            "facts": plain(self.facts),
            "figures": plain(self.figures),
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> list[Path]:
        """Write ``<name>.json``, ``<name>.txt`` and ``<name>-<picture>.svg``; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {
            f"{self.name}.json": json.dumps(self.document(), indent=2, allow_nan=False) + "\n",
            f"{self.name}.txt": self.text(),
            **{f"{self.name}-{name}.svg": text for name, text in self.pictures.items()},
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in texts]


def plain(value: Any) -> Any:
    """``value`` as JSON knows it: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, dict):
        return _plain_mapping(value)
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): plain(each) for key, each in value.items()}

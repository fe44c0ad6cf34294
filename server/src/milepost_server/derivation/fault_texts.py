"""The operator's own file of texts of trouble codes, read once at the start."""

from __future__ import annotations

from pathlib import Path

from milepost_server.signals.faults.texts import FaultTexts, read_texts


def texts_of(path: str) -> FaultTexts:
    """The texts of the file at ``path``; those that come with the product where it is empty.

    Raises:
        DataFileError: the file is no such table.
        OSError: it cannot be read.
    """
    return read_texts(Path(path).read_bytes(), path) if path else FaultTexts()

"""Somebody else's file at the place of the buffer: not to be touched, where its content says so.

After a power cut a buffer may be empty, zeros or garbage: that is salvaged, whatever it looks like. Refused
is only what cannot have been a buffer: text, and a database with other tables. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from milepost_agent.buffer.schema import APPLICATION_ID, MAGIC

LOOK_BYTES: Final = 64 * 1024
"""The beginning of a file, by which it is judged."""

_APPLICATION_ID: Final = slice(68, 72)
_OWN_TABLES: Final = (b"CREATE TABLE stream", b"CREATE TABLE span")
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
UTF8_BYTES_MAX: Final = 4


def foreign(head: bytes) -> str:
    """What a file that begins with ``head`` is, if it is surely no buffer of ours; else nothing."""
    if any(table in head for table in _OWN_TABLES):
        return ""
    if head.startswith(MAGIC):
        is_ours = int.from_bytes(head[_APPLICATION_ID], "big") == APPLICATION_ID
        return "" if is_ours or b"CREATE TABLE" not in head else "a database with other tables"
    return "a text file" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    if not head or _NO_TEXT.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The look may end within a character.
        return len(head) == LOOK_BYTES and error.start > len(head) - UTF8_BYTES_MAX
    return True

"""What the buffer's file system has to spare."""

from __future__ import annotations

from milepost_agent.buffer.files import POSIX

look = POSIX.look

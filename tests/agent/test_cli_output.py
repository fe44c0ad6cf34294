"""What the agent's commands print, and to whom."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_reader_that_has_read_enough_gets_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "milepost_agent", "config", "show", "--markdown"]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""

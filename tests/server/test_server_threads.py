"""NumPy's library has one thread in the server, unless whoever runs it says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

VARIABLE = "OPENBLAS_NUM_THREADS"
WORK = """
import os
from pathlib import Path
import milepost_server.derivation.steps.whole
import numpy as np
np.ones((400, 400)) @ np.ones((400, 400))
threads = len(list(Path("/proc/self/task").iterdir()))
print(os.environ["OPENBLAS_NUM_THREADS"], threads)
"""


@pytest.mark.parametrize(("said", "expected"), [(None, "1"), ("2", "2")])
def test_numpy_has_as_many_threads_as_was_said_and_one_by_itself(said: str | None, expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    environment |= {} if said is None else {VARIABLE: said}
    command = [sys.executable, "-c", WORK]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    variable, threads = done.stdout.split()
    assert variable == expected
    assert int(threads) <= int(expected)

"""Tests that run at the same time are never given the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from support.ports import PORTS, free_port

TAKE_THREE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
from support.ports import unclaimed
ports = unclaimed(int(sys.argv[1]))
print(*(next(ports) for _ in range(3)), flush=True)
sys.stdin.read()
"""


def take_three(start: int) -> subprocess.Popen[str]:
    """A process that claims three ports from ``start`` on and holds them until the block ends."""
    command = [sys.executable, "-c", TAKE_THREE, str(start)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ports_of(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


def test_what_one_process_was_given_no_other_gets_until_it_ends() -> None:
    start = PORTS.index(free_port())
    with take_three(start) as one, take_three(start) as two:
        claimed = [*ports_of(one), *ports_of(two)]
        assert len(set(claimed)) == 6
    with take_three(PORTS.index(claimed[0])) as again:
        assert claimed[0] in ports_of(again)


def test_a_port_that_somebody_listens_on_is_left_out() -> None:
    with take_three(PORTS.index(free_port())) as before:
        port, *_ = ports_of(before)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", port))
        listening.listen()
        with take_three(PORTS.index(port)) as process:
            assert port not in ports_of(process)

"""The status socket when too many ask at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from milepost_agent.health.endpoint import CLIENTS_MAX, WAITING_MAX, StatusServer
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

MORE = 5


async def _ask(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_of_too_many_who_ask_some_are_turned_away_and_the_others_answered(tmp_path: Path) -> None:
    may_answer = asyncio.Event()

    async def status() -> dict[str, Any]:
        await may_answer.wait()
        return {"device": "gw-1"}

    path = tmp_path / "s"
    serving = asyncio.create_task(StatusServer(path, status).run())
    await until(path.exists, "the socket")
    asking = [asyncio.create_task(_ask(path)) for _ in range(CLIENTS_MAX + WAITING_MAX + MORE)]
    await until(lambda: sum(one.done() for one in asking) == MORE, "some are turned away")
    may_answer.set()
    answers = await asyncio.gather(*asking)
    assert sorted(map(len, answers))[: MORE + 1] == [0] * MORE + [len(b'{"device": "gw-1"}\n')]
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving

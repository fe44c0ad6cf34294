"""docs/operate.md: every command there exists with its options, and every body is taken in its order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from milepost_server.cli import main
from milepost_server.store.schema import Role
from support import showroom
from support.garage import NOW
from support.sites import Clock, Site, application

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operate.md").read_text()
LINES = re.sub(r"\\\n\s*", "", PAGE).splitlines()
COMMANDS = [line.split("#")[0].strip() for line in LINES if line.startswith("    milepost-server ")]
BODIES = re.findall(r"^    post (\S+) '(\{.*?\})'", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    command: click.Command = main
    context = click.Context(main, info_name="milepost-server")
    words = shlex.split(line)[1:]
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: there is no {words[0]}"
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


async def test_every_body_is_taken(store: Store) -> None:
    assert len(BODIES) > 7
    async with store.write() as connection:
        dealer_id = await showroom.add_dealer(connection, "North", {showroom.MANAGER: Role.MANAGER})
    clock = Clock(NOW)
    site = Site(application(store, clock), store, clock, dealer_id)
    async with site.client(showroom.MANAGER) as client:
        for path, body in BODIES:
            answer = await client.post(f"/api/v1/{path}", json=json.loads(body))
            assert answer.status_code in (200, 201), (path, answer.text)

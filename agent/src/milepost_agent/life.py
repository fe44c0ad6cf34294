"""The life of an agent: built from its file and what the server desires, and built again when that changes.

Nothing is ever half applied: the agent commits, ends, and a new one takes up what is on the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milepost_agent.agent import Agent
from milepost_agent.parts import open_sources
from milepost_agent.remote.kept import Kept
from milepost_agent.remote.remote import take_up

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from milepost_agent.platform import Platform
    from milepost_agent.power.depth import Standing
    from milepost_agent.settings import Config


async def live(
    local: Config, platform: Platform, stop: asyncio.Event, on_config: Callable[[Config], None]
) -> None:
    """Run agents, one after the other, until ``stop`` is set.

    ``on_config`` is told the configuration before an agent begins with it.

    Raises:
        SourceConfigError, ConfigError: the file names a source, secret or certificate that cannot be used.
        StoreLockedError, StoreDeviceError, ExceptionGroup: see ``Agent.run``.
    """
    kept = Kept(platform.files, Path(local.buffer.path))
    before: Standing | None = None
    while not stop.is_set():
        in_force = take_up(kept, local)
        on_config(in_force.config)
        agent = Agent(in_force.config, open_sources(in_force.config), platform, in_force, before)
        await agent.run(stop)
        before = agent.keeper.standing()

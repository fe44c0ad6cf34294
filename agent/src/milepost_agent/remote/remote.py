"""What the server desires of this device, taken or refused; and what the device says of itself.

Whoever runs the agent builds it anew when ``reconfigure`` is set: nothing is ever half applied. Before that
the document is on the disk, so that a kill in between changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent import __version__
from milepost_agent.consent import ConsentGate, consent_of
from milepost_agent.errors import ConfigError, PublishRefusedError, StoreError
from milepost_agent.remote.overlay import check_consent, effective, laid_over, settable
from milepost_agent.uplink.link import Will
from milepost_agent.uplink.uplink import Channels
from milepost_protocol import topics
from milepost_protocol.desired import read_desired
from milepost_protocol.device_documents import (
    RECONFIGURE,
    SLEEP,
    STOP,
    Birth,
    Farewell,
    ProfileReport,
    Refusal,
    Reported,
)
from milepost_protocol.errors import DocumentError
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from milepost_agent.clock import ClockReading
    from milepost_agent.remote.kept import Kept
    from milepost_agent.settings import Config
    from milepost_agent.uplink.link import Link, Message
    from milepost_protocol.desired import Desired

APPLY_S_MIN: Final = 1.0
"""An agent runs at least so long before it is built anew, whatever is sent; the last of it counts."""
KEEP_RETRY_S: Final = 60.0
"""A document that the disk has not taken is given to it again after this time."""
RUN_BYTES: Final = 8

_LOG = logging.getLogger(__name__)


class InForce(NamedTuple):
    """``config`` is ``local``, the device's own file, with ``desired`` laid over it.

    ``trouble`` says why a document that was kept is not in force.
    """

    local: Config
    config: Config
    desired: Desired | None = None
    trouble: str = ""


def take_up(kept: Kept, local: Config) -> InForce:
    """The configuration to start with: the file's own, with the last good document where there is one."""
    desired, trouble = kept.load()
    if desired is None:
        if trouble:
            _LOG.error("%s", trouble)
        return InForce(local, local, None, trouble)
    try:
        return InForce(local, laid_over(local, desired), desired)
    except ConfigError as error:
        trouble = kept.set_aside(f"does not go with this agent and its file: {error}")
        _LOG.error("%s", trouble)
        return InForce(local, local, None, trouble)


@dataclass(frozen=True, slots=True)
class Around:
    """Where the remote looks and writes.

    Attributes:
        clock, entropy: those of the platform.
        epoch: of the buffer now, "" while it is not open.
        signals: what may be stored now.
        is_resting: whether the agent closes its connection to spare the battery.
        keep: puts an accepted document on the disk; StoreError or OSError where that refuses.
    """

    clock: Callable[[], ClockReading]
    entropy: Callable[[int], bytes]
    epoch: Callable[[], str]
    signals: Callable[[], Sequence[str]]
    is_resting: Callable[[], bool]
    keep: Callable[[bytes], Awaitable[None]]


class Remote:
    """One life of an agent as its server sees it."""

    def __init__(self, in_force: InForce, around: Around) -> None:
        self.in_force = in_force
        self.reconfigure = asyncio.Event()
        """Set when another configuration lies on the disk: build the agent anew."""
        self.refused: Refusal | None = None
        self.counts: Counter[str] = Counter()
        config = in_force.config
        self.gate = ConsentGate(consent_of(config.consent)) if config.profile else None
        self._around = around
        self._device = config.device.id
        self._started = around.clock()
        self._run = around.entropy(RUN_BYTES).hex()
        self._connection = 0
        self._candidate: bytes | None = None
        self._is_accepted = asyncio.Event()
        self._has_news = asyncio.Event()
        self._looked: tuple[object, ...] = ()
        self._reported = b""

    @property
    def revision(self) -> int | None:
        """Of the desired configuration in force."""
        return self.in_force.desired.revision if self.in_force.desired else None

    @property
    def is_reported(self) -> bool:
        """Whether the broker has been told what is in force now."""
        return self._reported == self.reported().payload()

    def channels(self) -> Channels:
        """What goes over the link beside batches."""
        return Channels(
            handlers={topics.config(self._device): self._take},
            greet=self._greet,
            take_leave=self._take_leave,
            will=self._will,
        )

    def look(self) -> float:
        """Look at clock and consent, about once a second.

        Until when (monotonic clock, s) the profile may run; -inf: it may not, or there is none.
        """
        now = self._around.clock()
        until_s = self.gate.look(now) if self.gate else -math.inf
        seen = (now.trust, self._around.epoch(), self.gate.state if self.gate else "")
        if seen != self._looked:
            self._looked = seen
            self._has_news.set()
        return until_s

    async def run(self) -> None:
        """Put on the disk what was accepted, and ask for the agent to be built anew; then end."""
        while not self.reconfigure.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._candidate is None else KEEP_RETRY_S):
                    await self._is_accepted.wait()
            self._is_accepted.clear()
            await asyncio.sleep(self._started.mono_s + APPLY_S_MIN - self._around.clock().mono_s)
            if self._candidate is not None:
                await self._apply(self._candidate)

    async def _apply(self, payload: bytes) -> None:
        revision = read_desired(payload).revision
        try:
            await self._around.keep(payload)
        except (StoreError, OSError) as error:
            self._refuse(Refusal(revision, f"cannot be kept on the disk: {error}; it will be tried again"))
            return
        _LOG.info("configuration revision %d is taken; beginning anew with it", revision)
        self.reconfigure.set()

    async def _take(self, message: Message) -> None:
        if not message.payload:
            # A document that was taken away says nothing: a broker that forgets must not reset cars.
            self.counts["empty"] += 1
            return
        try:
            desired = read_desired(message.payload)
            if desired != self.in_force.desired:
                laid_over(self.in_force.local, desired)
                check_consent(desired, self._around.clock())
        except DocumentError as error:
            self._refuse(Refusal(error.revision, str(error)))
            return
        except ConfigError as error:
            self._refuse(Refusal(desired.revision, str(error)))
            return
        self.refused = None
        self._has_news.set()
        if desired == self.in_force.desired:
            self.counts["unchanged"] += 1
            self._candidate = None
            return
        self.counts["accepted"] += 1
        self._candidate = message.payload
        self._is_accepted.set()

    def _refuse(self, refusal: Refusal) -> None:
        self.counts["refused"] += 1
        if refusal != self.refused:
            _LOG.warning("configuration revision %s is refused: %s", refusal.revision, refusal.error)
        self.refused = refusal
        self._has_news.set()

    def _will(self, connection: int) -> Will:
        self._connection = connection
        return Will(topics.state(self._device), Farewell(self._device, self._run, connection).payload())

    async def _take_leave(self, link: Link) -> None:
        reason = STOP
        if self.reconfigure.is_set():
            reason = RECONFIGURE
        elif self._around.is_resting():
            reason = SLEEP
        farewell = Farewell(self._device, self._run, self._connection, reason)
        await self._say(link, topics.state(self._device), farewell.payload())

    async def _greet(self, link: Link) -> None:
        """Say who is there and what is in force, and again whenever that has changed."""
        said: Birth | None = None
        while True:
            self._has_news.clear()
            birth = self.birth()
            if said is None or replace(birth, at_ms=said.at_ms, started_ms=said.started_ms) != said:
                await self._say(link, topics.state(self._device), birth.payload())
                said = birth
            reported = self.reported().payload()
            if reported != self._reported:
                await self._say(link, topics.reported(self._device), reported)
                self._reported = reported
            await self._has_news.wait()

    async def _say(self, link: Link, topic: str, payload: bytes) -> None:
        try:
            await link.publish(topic, payload, is_retained=True, qos=topics.DOCUMENT_QOS)
        except PublishRefusedError as error:
            # An older server's rules; the data does not depend on it.
            self.counts["unsaid"] += 1
            _LOG.warning("%s", error)

    def birth(self) -> Birth:
        """Who is there now."""
        now, known = self._around.clock(), catalogue()
        return Birth(
            device=self._device,
            run=self._run,
            connection=self._connection,
            agent=__version__,
            vss=known.vss,
            epoch=self._around.epoch(),
            catalogue=known.digest,
            signals=tuple(self._around.signals()),
            sources=tuple(str(table["kind"]) for table in self.in_force.config.source),
            clock=now.trust.value,
            at_ms=max(0, now.wall_ms),
            started_ms=now.wall_ms_at(self._started.mono_s),
            boot=now.boot,
            revision=self.revision,
        )

    def reported(self) -> Reported:
        """Which configuration is in force, and what was refused."""
        config, desired = self.in_force.config, self.in_force.desired
        return Reported(
            device=self._device,
            revision=self.revision,
            settings=effective(config, desired) if desired else {},
            profile=self._profile(),
            refused=self.refused,
            settable=settable(),
        )

    def _profile(self) -> ProfileReport | None:
        if self.gate is None:
            return None
        config = self.in_force.config
        name, signals = config.consent.profile, tuple(config.profile)
        return ProfileReport(name, self.gate.state, signals, self.gate.consent.expires_ms)

    def status(self) -> dict[str, Any]:
        """What ``milepost-agent status`` shows of it."""
        reported = self.reported()
        profile = reported.profile
        return {
            "revision": self.revision,
            "settings": reported.settings,
            "profile": profile
            and {"name": profile.name, "state": profile.state, "expires_ms": profile.expires_ms},
            "refused": self.refused and {"revision": self.refused.revision, "error": self.refused.error},
            "trouble": self.in_force.trouble,
            "counts": dict(self.counts),
        }

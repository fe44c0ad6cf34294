"""Somebody at the broker who hears what devices say of themselves, and tells them what is desired."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Self

import aiomqtt

from milepost_protocol import topics
from milepost_protocol.desired import DAY_MS
from milepost_protocol.device_schema import read_reported, read_state
from milepost_protocol.topics import Channel
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

LATER_MS = 30 * DAY_MS


class DeviceSpy:
    """Connected as ``user``; ``states`` and ``reports`` are all that were heard, oldest first, as JSON."""

    def __init__(self, port: int, device: str, user: str | None = None, password: str | None = None) -> None:
        self._device = device
        self._client = aiomqtt.Client("127.0.0.1", port, username=user, password=password)
        self._listening: asyncio.Task[None] | None = None
        self.states: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.was_retained = False
        """Whether the first state was one that the broker had kept."""

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        for channel in (Channel.STATE, Channel.REPORTED):
            await self._client.subscribe(topics.topic(self._device, channel), qos=1)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await self._listening
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            if not message.payload:
                continue
            if str(message.topic) == topics.state(self._device):
                read_state(message.payload)
                self.was_retained |= not self.states and message.retain
                self.states.append(json.loads(message.payload))
            else:
                read_reported(message.payload)
                self.reports.append(json.loads(message.payload))

    async def desire(self, document: Mapping[str, Any] | bytes) -> None:
        """Publish a config document."""
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        await self._client.publish(topics.config(self._device), payload, qos=1, retain=True)

    async def online(self, *, revision: int | None = None) -> dict[str, Any]:
        """The newest state, once it is a birth with this revision in force."""
        await until(
            lambda: self.states and self.states[-1]["online"] and self.states[-1]["revision"] == revision,
            lambda: f"a birth with revision {revision}; heard {self.states[-1:]}",
        )
        return self.states[-1]

    async def offline(self, reason: str) -> dict[str, Any]:
        """The newest state, once it is an end with this reason."""
        await until(
            lambda: self.states and self.states[-1].get("reason") == reason,
            lambda: f"an end by {reason}; heard {self.states[-1:]}",
        )
        return self.states[-1]

    async def refusal(self, revision: int | None) -> str:
        """The error with which a revision was refused."""
        await until(
            lambda: self.reports and (self.reports[-1]["refused"] or {}).get("revision", 0) == revision,
            lambda: f"the refusal of revision {revision}; heard {self.reports[-1:]}",
        )
        error: str = self.reports[-1]["refused"]["error"]
        return error


def desired(revision: int, settings: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A config document."""
    return {"version": 1, "revision": revision, "settings": settings or {}, **more}


def profile(rules: Mapping[str, Any], *, for_ms: int = LATER_MS) -> dict[str, Any]:
    """A profile with a consent that was given just now, and ends in ``for_ms``."""
    now_ms = time.time_ns() // 1_000_000
    consent = {"owner": "owner-42", "granted_ms": now_ms - 60_000, "expires_ms": now_ms + for_ms}
    return {"name": "road-test", "rules": rules, "consent": consent}

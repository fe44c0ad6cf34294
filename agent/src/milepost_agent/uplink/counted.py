"""A link that counts what goes over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_agent.uplink.budget import message_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from milepost_agent.uplink.link import Granted, Link, Message


class CountedLink:
    """``link``, whose messages of both directions are told to ``spend`` in bytes."""

    def __init__(self, link: Link, spend: Callable[[int], None]) -> None:
        self._link = link
        self._spend = spend

    @property
    def granted(self) -> Granted:
        """See ``Link.granted``."""
        return self._link.granted

    @property
    def dropped(self) -> int:
        """See ``Link.dropped``."""
        return self._link.dropped

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        """See ``Link.publish``."""
        self._spend(message_bytes(topic, payload, qos))
        await self._link.publish(topic, payload, is_retained=is_retained, qos=qos)

    async def messages(self) -> AsyncIterator[Message]:
        """See ``Link.messages``."""
        async for message in self._link.messages():
            self._spend(message_bytes(message.topic, message.payload, 0))
            yield message

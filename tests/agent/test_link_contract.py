"""What every link promises, whatever is at its far end (see ``milepost_agent.uplink.link``)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from milepost_agent.errors import LinkError
from milepost_agent.uplink.link import Message, Subscription, Terms, Will
from milepost_protocol import topics
from support.link_wires import WIRES, Wire, arrived, as_device
from support.stores import DEVICE
from support.waiting import WAIT_S_MAX, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from milepost_agent.uplink.link import Link

UP, ACK, STATE, CONFIG = (f"{topics.ROOT}/{DEVICE}/{name}" for name in ("up", "ack", "state", "config"))
TERMS = Terms((Subscription(ACK, 0), Subscription(CONFIG, 1)))


@pytest.fixture(params=list(WIRES), ids=str)
async def wire(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    async with WIRES[request.param](tmp_path) as made:
        yield made


async def next_message(link: Link) -> Message:
    async with asyncio.timeout(WAIT_S_MAX):
        async for message in link.messages():
            return message
    raise AssertionError("the messages ended without an error")


async def end_of(link: Link) -> LinkError:
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(LinkError) as caught:
            async for _ in link.messages():
                pass
    return caught.value


@pytest.mark.parametrize("qos", [0, 1])
async def test_what_is_published_arrives_in_the_order_of_the_calls(wire: Wire, qos: int) -> None:
    async with wire.connect(wire.broker, TERMS) as link, asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(link.publish(UP, b"%d" % number, qos=qos))
    assert await arrived(wire.far, UP, 50) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("size_bytes", [0, 1, 127, 128, 16_384, 65_536])
async def test_payloads_of_any_size_go_up_and_documents_come_down(wire: Wire, size_bytes: int) -> None:
    payload = bytes(number % 251 for number in range(size_bytes))
    async with wire.connect(wire.broker, TERMS) as link:
        await link.publish(UP, payload)
        assert await arrived(wire.far, UP, 1) == [payload]
        if size_bytes <= 16_384:
            await wire.far.publish(CONFIG, payload)
            assert await next_message(link) == Message(CONFIG, payload, is_retained=False)


async def test_messages_come_in_order_and_retained_ones_say_so(wire: Wire) -> None:
    await wire.far.publish(CONFIG, b"kept", is_retained=True)
    async with wire.connect(wire.broker, TERMS) as link:
        assert await next_message(link) == Message(CONFIG, b"kept", is_retained=True)
        for number in range(10):
            await wire.far.publish(ACK, b"%d" % number)
        heard = [(await next_message(link)).payload for _ in range(10)]
        assert heard == [b"%d" % number for number in range(10)]


async def test_a_retained_message_is_there_for_who_comes_later(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as link:
        await link.publish(CONFIG, b"mine", is_retained=True)
    async with wire.connect(as_device(wire, "gw-other"), TERMS) as link:
        assert await next_message(link) == Message(CONFIG, b"mine", is_retained=True)


async def test_only_what_was_subscribed_comes(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as link:
        await wire.far.publish(f"{topics.ROOT}/gw-other/ack", b"not mine")
        await wire.far.publish(ACK, b"mine")
        assert await next_message(link) == Message(ACK, b"mine", is_retained=False)


async def test_receipts_that_nobody_reads_are_bounded_and_counted(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as link:
        for number in range(100):
            await wire.far.publish(ACK, b"%d" % number)
        await until(lambda: link.dropped, "a full queue")
        assert (await next_message(link)).payload == b"0"
        await link.publish(UP, b"still there")


async def test_a_broken_connection_is_told_to_all_who_use_the_link(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as link:
        wire.far.cut()
        assert wire.broker.address in str(await end_of(link))
        with pytest.raises(LinkError):
            await link.publish(UP, b"late")
        with pytest.raises(LinkError):
            await link.publish(UP, b"late", qos=0)


async def test_who_waits_for_a_puback_is_told_too(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as link:
        waiting = [asyncio.create_task(link.publish(UP, bytes(10_000))) for _ in range(200)]
        await asyncio.sleep(0)
        wire.far.cut()
        ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), WAIT_S_MAX)
    assert ends[-1] is not None
    assert all(end is None or isinstance(end, LinkError) for end in ends)


async def test_the_will_is_told_when_the_connection_breaks(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS._replace(will=Will(STATE, b"lost"))) as link:
        wire.far.cut()
        await end_of(link)
        assert await arrived(wire.far, STATE, 1) == [b"lost"]


async def test_leaving_without_an_error_says_farewell_and_tells_no_will(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS._replace(will=Will(STATE, b"lost"))) as link:
        await link.publish(UP, b"first")
    async with wire.connect(wire.broker, TERMS) as link:
        await link.publish(UP, b"second")
    await arrived(wire.far, UP, 2)
    assert wire.far.got(STATE) == []


async def test_who_is_cancelled_says_farewell_too(wire: Wire) -> None:
    is_in = asyncio.Event()

    async def hold() -> None:
        async with wire.connect(wire.broker, TERMS._replace(will=Will(STATE, b"lost"))):
            is_in.set()
            await asyncio.sleep(WAIT_S_MAX)

    holding = asyncio.create_task(hold())
    await asyncio.wait_for(is_in.wait(), WAIT_S_MAX)
    holding.cancel()
    await asyncio.wait([holding])
    async with wire.connect(wire.broker, TERMS) as link:
        await link.publish(UP, b"later")
    await arrived(wire.far, UP, 1)
    assert wire.far.got(STATE) == []


async def test_leaving_by_an_error_of_the_user_tells_the_will(wire: Wire) -> None:
    with pytest.raises(ZeroDivisionError):
        async with wire.connect(wire.broker, TERMS._replace(will=Will(STATE, b"lost"))):
            raise ZeroDivisionError
    assert await arrived(wire.far, STATE, 1) == [b"lost"]


async def test_a_second_connection_of_one_device_throws_the_first_out(wire: Wire) -> None:
    async with wire.connect(wire.broker, TERMS) as first, wire.connect(wire.broker, TERMS) as second:
        await end_of(first)
        await second.publish(UP, b"mine")
        assert await arrived(wire.far, UP, 1) == [b"mine"]


@contextlib.asynccontextmanager
async def again(wire: Wire) -> AsyncIterator[Link]:
    """A link as the uplink comes back: nats-server shuts out for a second who returns while it clears up."""
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                try:
                    link = await stack.enter_async_context(wire.connect(wire.broker, TERMS))
                    break
                except LinkError:
                    await asyncio.sleep(0.05)
        yield link


async def test_after_a_broken_connection_another_one_works(wire: Wire) -> None:
    for number in range(3):
        async with again(wire) as link:
            await link.publish(UP, b"%d" % number)
            wire.far.cut()
            await end_of(link)
    await until(lambda: len(wire.far.got(UP)) == 3, "all three")

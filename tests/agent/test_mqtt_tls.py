"""TLS for real: a device with a certificate or a password, and words for what is wrong with a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from milepost_agent.errors import LinkError
from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker, Subscription, Terms
from milepost_protocol import topics
from support.certificates import Authority, Certificate
from support.mosquitto import Mosquitto
from support.stores import DEVICE
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = "DNS:localhost,IP:127.0.0.1"
TERMS = Terms((Subscription(topics.ack(DEVICE), 0),))


class Keys:
    """An authority with a broker's and a device's certificate, and bad ones."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ours")
        self.stranger = Authority(folder / "strange", "Another authority")
        self.broker = self.authority.sign("broker", hosts=HOSTS)
        self.device = self.authority.sign(DEVICE)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@contextlib.contextmanager
def listening(
    folder: Path, authority: Authority, own: Certificate, *lines: str, users: dict[str, str] | None = None
) -> Iterator[Mosquitto]:
    """A Mosquitto with TLS."""
    config = (f"cafile {authority.own.cert}", f"certfile {own.cert}", f"keyfile {own.key}", *lines)
    with Mosquitto(folder / "mosquitto", users=users, extra="\n".join(config)) as broker:
        yield broker


def address(
    broker: Mosquitto, trusted: Authority, own: Certificate | None = None, secret: str | None = None
) -> Broker:
    context = ssl.create_default_context(cafile=trusted.own.cert)
    if own:
        context.load_cert_chain(own.cert, own.key)
    return Broker(broker.host, broker.port, DEVICE, secret, 5, context)


async def works(to: Broker) -> None:
    async with asyncio.timeout(WAIT_S_MAX), mqtt.connect(to, TERMS) as link:
        await link.publish(topics.up(DEVICE), bytes(60_000))


async def fails(to: Broker) -> str:
    """Why it cannot be used."""
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(LinkError) as caught:
            async with mqtt.connect(to, TERMS):
                pass
    return str(caught.value)


async def test_a_device_with_a_password(tmp_path: Path, keys: Keys) -> None:
    with listening(tmp_path, keys.authority, keys.broker, users={DEVICE: "right"}) as broker:
        await works(address(broker, keys.authority, secret="right"))
        assert "secret_file" in await fails(address(broker, keys.authority, secret="wrong"))


async def test_a_device_with_a_certificate(tmp_path: Path, keys: Keys) -> None:
    lines = ("require_certificate true", "use_identity_as_username true")
    with listening(tmp_path, keys.authority, keys.broker, *lines) as broker:
        await works(address(broker, keys.authority, keys.device))
        assert "[uplink] cert_file" in await fails(address(broker, keys.authority))


async def test_a_certificate_of_the_device_that_is_not_taken(tmp_path: Path, keys: Keys) -> None:
    strange, expired = keys.stranger.sign("strange"), keys.authority.sign("expired", days=-1)
    with listening(tmp_path, keys.authority, keys.broker, "require_certificate true") as broker:
        for own in (strange, expired):
            assert "[uplink] cert_file" in await fails(address(broker, keys.authority, own))


@pytest.mark.parametrize(
    ("hosts", "days", "advice"),
    [
        (HOSTS, -1, "has expired: renew it there, or this device's clock is wrong"),
        ("DNS:elsewhere.example", 2, "set [uplink] host to a name that it holds"),
    ],
)
async def test_a_certificate_of_the_broker_that_is_not_good(
    tmp_path: Path, keys: Keys, hosts: str, days: int, advice: str
) -> None:
    own = keys.authority.sign("bad", hosts=hosts, days=days)
    with listening(tmp_path, keys.authority, own) as broker:
        for host in ("127.0.0.1", "localhost"):
            assert advice in await fails(replace(address(broker, keys.authority), host=host))


async def test_a_broker_of_an_unknown_authority(tmp_path: Path, keys: Keys) -> None:
    with listening(tmp_path, keys.authority, keys.broker) as broker:
        assert "[uplink] ca_file" in await fails(address(broker, keys.stranger))


async def test_tls_where_there_is_none_and_none_where_there_is(tmp_path: Path, keys: Keys) -> None:
    with Mosquitto(tmp_path / "open") as broker:
        assert "tls = false" in await fails(address(broker, keys.authority))
    with listening(tmp_path, keys.authority, keys.broker) as broker:
        assert "TLS" in await fails(replace(address(broker, keys.authority), tls=None))

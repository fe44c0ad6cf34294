"""One connection to a databroker: what it has, and how its signals change. kuksa.val.v2, else v1."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import grpc
from kuksa.val.v1 import types_pb2 as types_v1
from kuksa.val.v1 import val_pb2 as val_v1
from kuksa.val.v1 import val_pb2_grpc as grpc_v1
from kuksa.val.v2 import val_pb2 as val_v2
from kuksa.val.v2 import val_pb2_grpc as grpc_v2

from milepost_agent.errors import DatabrokerError
from milepost_agent.sources.kuksa.mapping import Described

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from milepost_agent.sources.kuksa.dial import Dial

ROOT: Final = "Vehicle"
CALL_S_MAX: Final = 10.0
QUIET_S_MAX: Final = 30.0
"""After so long without an update the broker is asked whether it is still there."""
BUFFER_UPDATES: Final = 100
"""Updates of each signal that the broker keeps for an agent that is slower than the car."""
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""The whole tree of a rich VSS is a few megabytes of descriptions."""


class Update(NamedTuple):
    """A new value at a path; ``None``: it has none, or none any more."""

    path: str
    value: object


class _Api(Protocol):
    """What both versions of the API are used for."""

    async def describe(self) -> list[Described]: ...

    def subscribe(self, paths: Sequence[str]) -> Any: ...

    def updates(self, message: Any) -> list[Update]: ...

    async def probe(self) -> None: ...


class Databroker:
    """An open connection. Whatever the other side does, what comes out of it is a ``DatabrokerError``."""

    def __init__(self, channel: Any, address: str, metadata: Sequence[tuple[str, str]]) -> None:
        self._address = address
        self._apis: list[_Api] = [_V2(channel, metadata), _V1(channel, address, metadata)]

    @property
    def version(self) -> str:
        """The version of the API in use."""
        return "v2" if len(self._apis) == 2 else "v1"

    async def describe(self) -> list[Described]:
        """All signals that it has.

        Raises:
            DatabrokerError: it does not answer, or refuses.
        """
        try:
            return await self._apis[0].describe()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED and len(self._apis) > 1:
                del self._apis[0]
                return await self.describe()
            raise _translated(self._address, error) from error

    async def updates(self, paths: Sequence[str]) -> AsyncGenerator[list[Update], None]:
        """Current values of ``paths`` first, then changes as they come; call it after ``describe``.

        Raises:
            DatabrokerError: the subscription ended, or the broker is gone.
        """
        api = self._apis[0]
        call = api.subscribe(paths)
        try:
            while True:
                yield api.updates(await self._next(call))
        except grpc.aio.AioRpcError as error:
            raise _translated(self._address, error) from error
        finally:
            call.cancel()

    async def _next(self, call: Any) -> Any:
        message = asyncio.ensure_future(call.read())
        try:
            while not (await asyncio.wait({message}, timeout=QUIET_S_MAX))[0]:
                await self._apis[0].probe()
        finally:
            message.cancel()
        found = message.result()
        if found is grpc.aio.EOF:
            raise DatabrokerError(self._address, "ended the subscription")
        return found


class _V2:
    """kuksa.val.v2."""

    def __init__(self, channel: Any, metadata: Sequence[tuple[str, str]]) -> None:
        self._stub = grpc_v2.VALStub(channel)
        self._metadata = metadata

    async def describe(self) -> list[Described]:
        request = val_v2.ListMetadataRequest(root=ROOT)
        answer = await self._stub.ListMetadata(request, timeout=CALL_S_MAX, metadata=self._metadata)
        return [Described(entry.path, entry.unit) for entry in answer.metadata]

    def subscribe(self, paths: Sequence[str]) -> Any:
        request = val_v2.SubscribeRequest(signal_paths=paths, buffer_size=BUFFER_UPDATES)
        return self._stub.Subscribe(request, metadata=self._metadata)

    def updates(self, message: Any) -> list[Update]:
        return [Update(path, _value(point.value, "typed_value")) for path, point in message.entries.items()]

    async def probe(self) -> None:
        request = val_v2.GetServerInfoRequest()
        await self._stub.GetServerInfo(request, timeout=CALL_S_MAX, metadata=self._metadata)


class _V1:
    """kuksa.val.v1, of databrokers before 0.5."""

    def __init__(self, channel: Any, address: str, metadata: Sequence[tuple[str, str]]) -> None:
        self._address = address
        self._stub = grpc_v1.VALStub(channel)
        self._metadata = metadata

    async def describe(self) -> list[Described]:
        wanted = val_v1.EntryRequest(path=ROOT, view=types_v1.VIEW_METADATA, fields=[types_v1.FIELD_METADATA])
        request = val_v1.GetRequest(entries=[wanted])
        answer = await self._stub.Get(request, timeout=CALL_S_MAX, metadata=self._metadata)
        if answer.HasField("error"):
            raise DatabrokerError(self._address, f"refuses: {answer.error.reason} {answer.error.message}")
        return [Described(entry.path, entry.metadata.unit) for entry in answer.entries]

    def subscribe(self, paths: Sequence[str]) -> Any:
        entries = [
            val_v1.SubscribeEntry(path=path, view=types_v1.VIEW_CURRENT_VALUE, fields=[types_v1.FIELD_VALUE])
            for path in paths
        ]
        return self._stub.Subscribe(val_v1.SubscribeRequest(entries=entries), metadata=self._metadata)

    def updates(self, message: Any) -> list[Update]:
        entries = (update.entry for update in message.updates)
        return [Update(entry.path, _value(entry.value, "value")) for entry in entries]

    async def probe(self) -> None:
        request = val_v1.GetServerInfoRequest()
        await self._stub.GetServerInfo(request, timeout=CALL_S_MAX, metadata=self._metadata)


@asynccontextmanager
async def connected(dial: Dial) -> AsyncIterator[Databroker]:
    """A connection to the broker at ``dial``; it is made with the first call.

    Raises:
        SourceConfigError: a file of ``dial`` cannot be read any more.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        # Connections that share a pool share its backoff, too; ours is the one that counts.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if dial.server_name:
        options.append(("grpc.ssl_target_name_override", dial.server_name))
    files, token = dial.certificates(), dial.token()
    if files is None:
        channel = grpc.aio.insecure_channel(dial.address, options)
    else:
        channel = grpc.aio.secure_channel(dial.address, grpc.ssl_channel_credentials(*files), options)
    try:
        yield Databroker(channel, dial.address, _metadata(token))
    finally:
        await channel.close()


def _metadata(token: str) -> Sequence[tuple[str, str]]:
    return (("authorization", f"Bearer {token}"),) if token else ()


def _value(message: Any, oneof: str) -> object:
    """The value that is set in ``message``, lists as lists; ``None`` where none is."""
    kind = message.WhichOneof(oneof)
    if kind is None:
        return None
    value = getattr(message, kind)
    return list(value.values) if kind.endswith("_array") else value


def _translated(address: str, error: Any) -> DatabrokerError:
    hints: Iterable[tuple[Any, str]] = (
        (grpc.StatusCode.UNAUTHENTICATED, "; check token_file"),
        (grpc.StatusCode.PERMISSION_DENIED, "; name in paths what the token permits"),
    )
    hint = next((words for code, words in hints if error.code() is code), "")
    return DatabrokerError(address, f"{error.code().name.lower()}: {error.details()}{hint}")

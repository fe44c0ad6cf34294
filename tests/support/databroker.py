"""A small databroker in place of the real one: what kuksa.val.v2 and v1 promise of reading, and faults.

It is written from the interface files alone; whether the real databroker behaves so in all else is not proven
by a test that passes against this one.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
from kuksa.val.v1 import types_pb2 as types_v1
from kuksa.val.v1 import val_pb2 as val_v1
from kuksa.val.v1 import val_pb2_grpc as grpc_v1
from kuksa.val.v2 import types_pb2 as types_v2
from kuksa.val.v2 import val_pb2 as val_v2
from kuksa.val.v2 import val_pb2_grpc as grpc_v2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

Queue = asyncio.Queue["dict[str, Entry] | None"]


@dataclass
class Entry:
    """A signal: its unit, the field of the value message that holds it, and its value; None: it has none."""

    unit: str
    kind: str
    value: Any = None


@dataclass
class Broker:
    """The tree and who listens. ``token``: the only one that is admitted; "" for none."""

    entries: dict[str, Entry]
    token: str = ""
    is_mute: bool = False
    """Whether probes are left unanswered, as on a link that swallows packets."""
    listeners: list[Queue] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def publish(self, path: str, value: Any) -> None:
        """A provider sets a value."""
        self.entries[path].value = value
        for queue in self.listeners:
            queue.put_nowait({path: replace(self.entries[path])})

    def end_subscriptions(self) -> None:
        """All streams end, as when the broker shuts down in order."""
        for queue in self.listeners:
            queue.put_nowait(None)

    async def admit(self, call: str, context: Any) -> None:
        """Note the call, and refuse it without the token."""
        self.calls.append(call)
        given = dict(context.invocation_metadata()).get("authorization", "")
        if self.token and given != f"Bearer {self.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")

    async def subscribed(self, paths: Sequence[str], context: Any) -> AsyncIterator[dict[str, Entry]]:
        """All paths first, then each as it changes."""
        if missing := [path for path in paths if path not in self.entries]:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no {missing[0]}")
        queue: Queue = asyncio.Queue()
        self.listeners.append(queue)
        try:
            yield {path: self.entries[path] for path in paths}
            while (changed := await queue.get()) is not None:
                if changed.keys() <= set(paths):
                    yield changed
        finally:
            self.listeners.remove(queue)


def fill(message: Any, entry: Entry) -> None:
    """Set the field of ``entry``'s kind; nothing where it has no value."""
    if entry.value is None:
        return
    if entry.kind.endswith("_array"):
        getattr(message, entry.kind).values.extend(entry.value)
        # An empty list is a value, too.
        getattr(message, entry.kind).SetInParent()
    else:
        setattr(message, entry.kind, entry.value)


class V2(grpc_v2.VALServicer):
    """kuksa.val.v2."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def ListMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._broker.admit("v2 ListMetadata", context)
        found = [
            types_v2.Metadata(path=path, unit=entry.unit)
            for path, entry in self._broker.entries.items()
            if path.startswith(request.root)
        ]
        return val_v2.ListMetadataResponse(metadata=found)

    async def Subscribe(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        await self._broker.admit("v2 Subscribe", context)
        async for changed in self._broker.subscribed(request.signal_paths, context):
            answer = val_v2.SubscribeResponse()
            for path, entry in changed.items():
                answer.entries[path].SetInParent()
                fill(answer.entries[path].value, entry)
            yield answer

    async def GetServerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._broker.admit("v2 GetServerInfo", context)
        if self._broker.is_mute:
            await asyncio.Event().wait()
        return val_v2.GetServerInfoResponse(name="databroker of the tests", version="0")


class V1(grpc_v1.VALServicer):
    """kuksa.val.v1."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._broker.admit("v1 Get", context)
        answer = val_v1.GetResponse()
        for path, entry in self._broker.entries.items():
            if path.startswith(request.entries[0].path):
                # A unit that is not there and an empty one are not the same in v1.
                metadata = types_v1.Metadata(unit=entry.unit) if entry.unit else types_v1.Metadata()
                answer.entries.append(types_v1.DataEntry(path=path, metadata=metadata))
        return answer

    async def Subscribe(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        await self._broker.admit("v1 Subscribe", context)
        wanted = [entry.path for entry in request.entries]
        async for changed in self._broker.subscribed(wanted, context):
            answer = val_v1.SubscribeResponse()
            for path, entry in changed.items():
                made = types_v1.DataEntry(path=path)
                fill(made.value, entry)
                answer.updates.append(val_v1.EntryUpdate(entry=made))
            yield answer

    async def GetServerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._broker.admit("v1 GetServerInfo", context)
        return val_v1.GetServerInfoResponse(name="databroker of the tests", version="0")


@asynccontextmanager
async def serving(
    broker: Broker, port: int = 0, *, versions: str = "v1 v2", credentials: Any = None
) -> AsyncIterator[int]:
    """Serve ``broker`` on 127.0.0.1; yields the port."""
    server = grpc.aio.server()
    if "v2" in versions:
        grpc_v2.add_VALServicer_to_server(V2(broker), server)
    if "v1" in versions:
        grpc_v1.add_VALServicer_to_server(V1(broker), server)
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    try:
        yield bound
    finally:
        broker.end_subscriptions()
        await server.stop(grace=0.1)

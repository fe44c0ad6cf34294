"""The server as the demo sees it: its REST API, its health and its counters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from milepost_simulator.demo.plan import POLL_S, READY_S_MAX
from milepost_simulator.errors import ServerRefusedError, ServerSilentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from milepost_simulator.demo.processes import Child

API = "/api/v1"
BULK_MAX = 500
REQUEST_S_MAX = 60.0


class Rest:
    """One client, logged in after ``log_in``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(base_url=url, timeout=REQUEST_S_MAX, follow_redirects=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def wait_until_well(self, server: Child) -> None:
        """Wait until ``/health`` says that broker and database are there.

        Raises:
            ProcessFailedError: the server ended.
            ServerSilentError: it did not become well in time.
        """
        try:
            async with asyncio.timeout(READY_S_MAX):
                while not await self._is_well():
                    server.check()
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise ServerSilentError("GET", "/health", f"not well after {READY_S_MAX:g} s") from None

    async def _is_well(self) -> bool:
        try:
            return (await self._client.get("/health")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def log_in(self, email: str, password: str) -> None:
        """Begin a session; all later requests are made in it."""
        answer = await self.post("/sessions", {"email": email, "password": password})
        self._client.headers["Authorization"] = f"Bearer {answer['token']}"

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send one thing.

        Raises:
            ServerRefusedError: the server did not take it.
        """
        answer: dict[str, Any] = await self._post(path, body)
        return answer

    async def post_all(self, path: str, bodies: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
        """Send many things, as many at once as the server takes; gives its answers in the same order.

        Raises:
            ServerRefusedError: the server did not take them.
        """
        answers: list[dict[str, Any]] = []
        for start in range(0, len(bodies), BULK_MAX):
            answers += (await self._post(path, bodies[start : start + BULK_MAX]))["items"]
        return answers

    async def _post(self, path: str, body: object) -> Any:
        return (await self._request("POST", API + path, json=body)).json()

    async def get(self, path: str) -> dict[str, Any]:
        """Ask for one thing.

        Raises:
            ServerRefusedError: the server does not give it.
        """
        answer: dict[str, Any] = (await self._request("GET", API + path)).json()
        return answer

    async def status(self) -> dict[str, Any]:
        """How the dealer's data stands: what was taken in, who is due."""
        return await self.get("/status")

    async def counters(self) -> dict[str, float]:
        """What ``/metrics`` counts, summed over labels."""
        totals: dict[str, float] = {}
        for line in (await self._request("GET", "/metrics")).text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals

    async def _request(self, method: str, path: str, json: object = None) -> httpx.Response:
        """Raises ServerRefusedError for an answer that is an error, ServerSilentError for none."""
        try:
            response = await self._client.request(method, path, json=json)
        except httpx.TransportError as error:
            raise ServerSilentError(method, path, str(error) or type(error).__name__) from error
        if response.is_error:
            raise ServerRefusedError(method, path, response.status_code, response.text)
        return response

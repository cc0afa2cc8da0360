"""What the tests share: the clients, and servers with faults."""

from __future__ import annotations

import asyncio
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from protocol_api import ApiClient, AsyncApiClient, AsyncGroups, Group

ROOT = Path(__file__).parents[3]
API = os.environ["GROUPS_URL"]

MakeClient = Callable[..., ApiClient]
Respond = Callable[[socketserver.StreamRequestHandler, str], None]


class BlockingGroups:
    """AsyncGroups with the methods of Groups."""

    def __init__(self, groups: AsyncGroups, run: Callable[..., Any]) -> None:
        self._groups = groups
        self._run = run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._run(getattr(self._groups, name)(*args, **kwargs))

    def iterate(self, **parameters: Any) -> list[Group]:
        async def collect() -> list[Group]:
            return [group async for group in self._groups.iterate(**parameters)]

        groups: list[Group] = self._run(collect())
        return groups


class BlockingApiClient:
    """AsyncApiClient with the methods of ApiClient, so that each test can try both."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncApiClient(*args, **kwargs)
        self.groups = BlockingGroups(self._client.groups, self._loop.run_until_complete)

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


@pytest.fixture(scope="session")
def token() -> str:
    return os.environ["GROUPS_TOKEN"]


@pytest.fixture(params=[ApiClient, BlockingApiClient], ids=["sync", "async"])
def make_client(request: pytest.FixtureRequest, token: str) -> Iterator[MakeClient]:
    """A function that makes a client of the tested class."""
    with ExitStack() as stack:

        def make(token: str = token, *, base_url: str = API, **options: Any) -> ApiClient:
            client = request.param(token, base_url=base_url, **options)
            stack.callback(client.close)
            return cast(ApiClient, client)

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> ApiClient:
    return make_client()


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the random waits zero, because other tests check them."""
    monkeypatch.setattr("protocol_api._core.random.uniform", lambda least, most: 0)


class FaultyProxy:
    """clients/faulty_proxy.py with some faults."""

    def __init__(self, *faults: str) -> None:
        command = [sys.executable, str(ROOT / "clients/faulty_proxy.py"), *faults]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self._output = self._process.stdout
        self.url = self._output.readline().strip()

    def requests(self) -> list[str]:
        """Stops the proxy, and returns the method and path of each request that it received."""
        self._process.kill()
        self._process.wait()
        return self._output.read().splitlines()

    def close(self) -> None:
        self.requests()
        self._output.close()


@pytest.fixture
def faulty_proxy() -> Iterator[Callable[..., FaultyProxy]]:
    with ExitStack() as stack:

        def start(*faults: str) -> FaultyProxy:
            proxy = FaultyProxy(*faults)
            stack.callback(proxy.close)
            return proxy

        yield start


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], str]]:
    """A function that starts a server, and returns its URL. `respond` gets a connection and the head of a request."""
    with ExitStack() as stack:

        def start(respond: Respond) -> str:
            class Handler(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    lines = iter(lambda: self.rfile.readline().decode(), "\r\n")
                    respond(self, "".join(lines))

            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            stack.enter_context(server)
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield start

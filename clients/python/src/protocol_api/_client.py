"""The clients. They differ in how they send and wait; _core.py has everything else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx

from . import _core
from ._models import Group, GroupChanges, ListParameters, NewGroup, Page

if TYPE_CHECKING:
    # typing has it from Python 3.11.
    from typing_extensions import Self, Unpack

T = TypeVar("T")


class ApiClient:
    """A client of the API. Threads may share it.

    Raises ValueError if the token or an option is invalid.
    """

    def __init__(self, token: str, *, base_url: str | None = None, timeout: float = 30, retries: int = 2) -> None:
        headers = _core.auth_headers(token)
        # Services that collect errors store the local variables of stack frames.
        del token
        self._http = _core.make_http(httpx.Client, headers, base_url, timeout, retries)
        self._timeout = timeout
        self._retries = retries
        self.groups = Groups(self)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _call(self, request: _core.Request[T]) -> T:
        call = _core.Call(request, self._timeout, self._retries, self._http.headers)
        while (delay := call.record(self._attempt(request))) is not None:
            time.sleep(delay)
        return call.result()

    def _attempt(self, request: _core.Request[T]) -> _core.Response | httpx.RequestError:
        deadline = _core.Deadline(self._timeout)
        body = bytearray()
        try:
            with self._http.stream(**_core.send_options(request), extensions={"timeout": deadline}) as response:
                for part in response.iter_bytes():
                    deadline.check()
                    body += part
        except httpx.RequestError as error:
            return error
        return _core.Response(response.status_code, response.headers, bytes(body))


class Groups:
    """The groups of the token's account."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def list(self, **parameters: Unpack[ListParameters]) -> Page:
        """Returns a page of groups: by default, the ten newest."""
        return self._client._call(_core.list_groups(parameters))

    def iterate(self, **parameters: Unpack[ListParameters]) -> Iterator[Group]:
        """Yields all groups: older and older ones, or with `ending_before` newer and newer ones.

        `limit` is the size of a page.
        """
        following: ListParameters | None = _core.first_page(parameters)
        while following is not None:
            groups, following = _core.follow(following, self.list(**following))
            yield from groups

    def create(self, *, idempotency_key: str | None = None, **members: Unpack[NewGroup]) -> Group:
        """Creates a group. If no idempotency key is given, each call has a new one, so that retries are safe."""
        return self._client._call(_core.create_group(members, idempotency_key))

    def get(self, id: str) -> Group:
        """Returns a group."""
        return self._client._call(_core.get_group(id))

    def update(self, id: str, *, if_match: str | None = _core.UNSET, **changes: Unpack[GroupChanges]) -> Group:
        """Changes a group, and returns it. Other members keep their values. None clears a member."""
        return self._client._call(_core.update_group(id, changes, if_match))

    def delete(self, id: str, *, if_match: str | None = _core.UNSET) -> None:
        """Deletes a group and its messages permanently."""
        self._client._call(_core.delete_group(id, if_match))


class AsyncApiClient:
    """ApiClient for asyncio: its methods are coroutines."""

    def __init__(self, token: str, *, base_url: str | None = None, timeout: float = 30, retries: int = 2) -> None:
        headers = _core.auth_headers(token)
        # Services that collect errors store the local variables of stack frames.
        del token
        self._http = _core.make_http(httpx.AsyncClient, headers, base_url, timeout, retries)
        self._timeout = timeout
        self._retries = retries
        self.groups = AsyncGroups(self)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _call(self, request: _core.Request[T]) -> T:
        call = _core.Call(request, self._timeout, self._retries, self._http.headers)
        while (delay := call.record(await self._attempt(request))) is not None:
            await anyio.sleep(delay)
        return call.result()

    async def _attempt(self, request: _core.Request[T]) -> _core.Response | httpx.RequestError:
        try:
            with anyio.fail_after(self._timeout):
                response = await self._http.request(**_core.send_options(request))
        except TimeoutError:
            return httpx.ReadTimeout("The whole attempt took too long.")
        except httpx.RequestError as error:
            return error
        return _core.Response(response.status_code, response.headers, response.content)


class AsyncGroups:
    """The groups of the token's account. Groups documents the methods."""

    def __init__(self, client: AsyncApiClient) -> None:
        self._client = client

    async def list(self, **parameters: Unpack[ListParameters]) -> Page:
        return await self._client._call(_core.list_groups(parameters))

    async def iterate(self, **parameters: Unpack[ListParameters]) -> AsyncIterator[Group]:
        following: ListParameters | None = _core.first_page(parameters)
        while following is not None:
            groups, following = _core.follow(following, await self.list(**following))
            for group in groups:
                yield group

    async def create(self, *, idempotency_key: str | None = None, **members: Unpack[NewGroup]) -> Group:
        return await self._client._call(_core.create_group(members, idempotency_key))

    async def get(self, id: str) -> Group:
        return await self._client._call(_core.get_group(id))

    async def update(self, id: str, *, if_match: str | None = _core.UNSET, **changes: Unpack[GroupChanges]) -> Group:
        return await self._client._call(_core.update_group(id, changes, if_match))

    async def delete(self, id: str, *, if_match: str | None = _core.UNSET) -> None:
        await self._client._call(_core.delete_group(id, if_match))

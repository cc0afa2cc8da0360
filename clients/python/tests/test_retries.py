"""Retries: which requests are sent again, and when."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import FaultyProxy, MakeClient, Respond

from protocol_api import ApiClient, ApiError, AsyncApiClient, ConnectionError, ProtocolError, TimeoutError, _core

SAMPLE = "L7cGNIBKZiNJ6wqF"

StartProxy = Callable[..., FaultyProxy]


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize(
    "fault", ["408", "429", "500", "502", "503", "504", "unknown", "html", "close", "lose", "slow:2"]
)
def test_each_method_is_retried(
    fault: str, client: ApiClient, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    proxy = faulty_proxy(*[fault, "pass"] * 5)
    groups = make_client(base_url=proxy.url, timeout=1).groups
    name = str(uuid.uuid4())
    id = groups.create(name=name).id
    assert groups.get(id).name == name
    assert groups.update(id, description="The finest in New York.").description
    assert len(groups.list(limit=1).data) == 1
    groups.delete(id)
    assert [request.split()[0] for request in proxy.requests()] == [
        method for method in ("POST", "GET", "PUT", "GET", "DELETE") for _ in range(2)
    ]
    with pytest.raises(ApiError, match="group_not_found"):
        client.groups.get(id)


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("503", ApiError), ("close", ConnectionError), ("lose", ConnectionError), ("slow:1", TimeoutError)],
)
def test_the_last_of_three_attempts_is_reported(
    fault: str, kind: type[Exception], make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    for retries in (0, 2):
        proxy = faulty_proxy(*[fault] * (retries + 1))
        with pytest.raises(kind) as error:
            make_client(base_url=proxy.url, timeout=0.5, retries=retries).groups.list()
        assert isinstance(error.value, ProtocolError)
        assert len(proxy.requests()) == retries + 1


@pytest.mark.parametrize("fault", ["400", "401", "404", "409", "501", "garbage"])
def test_other_responses_are_not_retried(fault: str, make_client: MakeClient, faulty_proxy: StartProxy) -> None:
    proxy = faulty_proxy(fault)
    with pytest.raises(ApiError):
        make_client(base_url=proxy.url).groups.list()
    assert len(proxy.requests()) == 1


@pytest.mark.parametrize("fault", ["503:2", "429:2"])
def test_retry_after_is_awaited(fault: str, make_client: MakeClient, faulty_proxy: StartProxy) -> None:
    start = time.monotonic()
    make_client(base_url=faulty_proxy(fault).url).groups.list()
    assert 2 <= time.monotonic() - start < 4


@pytest.mark.parametrize("fault", ["lose", "slow:2"])
def test_a_create_whose_response_is_lost_creates_one_group(
    fault: str, client: ApiClient, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    proxy = faulty_proxy(fault)
    name = str(uuid.uuid4())
    created = make_client(base_url=proxy.url, timeout=1).groups.create(name=name)
    assert [group.id for group in client.groups.iterate() if group.name == name] == [created.id]
    assert proxy.requests() == ["POST /v1/groups"] * 2


@pytest.mark.parametrize("fault", ["lose", "close", "slow:1", "500", "502", "504", "unknown", "html"])
def test_an_update_with_if_match_that_may_have_been_applied_is_not_retried(
    fault: str, client: ApiClient, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    group = client.groups.create(name="Plaza Hotel")
    proxy = faulty_proxy(fault)
    with pytest.raises(ProtocolError):
        make_client(base_url=proxy.url, timeout=0.5).groups.update(group.id, name="Ritz", if_match=group.etag)
    assert len(proxy.requests()) == 1


@pytest.mark.parametrize("fault", ["408", "429", "503"])
def test_an_update_with_if_match_that_was_not_applied_is_retried(
    fault: str, client: ApiClient, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    group = client.groups.create(name="Plaza Hotel")
    proxy = faulty_proxy(fault)
    groups = make_client(base_url=proxy.url).groups
    assert groups.update(group.id, name="Ritz", if_match=group.etag).name == "Ritz"
    assert len(proxy.requests()) == 2


@pytest.mark.parametrize("condition", [{}, {"if_match": "*"}])
def test_a_delete_whose_response_is_lost_succeeds(
    condition: dict[str, str], client: ApiClient, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    id = client.groups.create(name="Plaza Hotel").id
    proxy = faulty_proxy("lose")
    make_client(base_url=proxy.url).groups.delete(id, **condition)
    assert proxy.requests() == [f"DELETE /v1/groups/{id}"] * 2


@pytest.mark.usefixtures("no_backoff")
def test_a_404_that_is_not_from_the_api_does_not_end_a_delete(
    make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    with pytest.raises(ApiError) as error:
        make_client(base_url=faulty_proxy("lose", "404").url).groups.delete("0" * 16)
    assert (error.value.status, error.value.code) == (404, None)


@pytest.mark.parametrize("faults", [[], ["429"], ["503"]])
def test_a_delete_of_a_group_that_never_was_there_fails(
    faults: list[str], make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    proxy = faulty_proxy(*faults)
    with pytest.raises(ApiError, match="group_not_found"):
        make_client(base_url=proxy.url).groups.delete("0" * 16)
    assert len(proxy.requests()) == len(faults) + 1


def test_a_slow_body_is_a_time_out(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    def drip(connection, head) -> None:  # type: ignore[no-untyped-def]
        connection.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.wfile.write(b" ")
            time.sleep(0.1)

    start = time.monotonic()
    message = r"^There was no complete response within 0\.5 seconds\. Try again later\. ReadTimeout: ."
    with pytest.raises(TimeoutError, match=message):
        make_client(base_url=serve(drip), timeout=0.5, retries=0).groups.list()
    assert 0.5 <= time.monotonic() - start < 1.5


def test_slow_headers_are_a_time_out_of_the_asynchronous_client(token: str, serve: Callable[[Respond], str]) -> None:
    def drip(connection, head) -> None:  # type: ignore[no-untyped-def]
        connection.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(30):
            connection.wfile.write(b"x")
            time.sleep(0.1)

    async def call() -> None:
        async with AsyncApiClient(token, base_url=serve(drip), timeout=0.5, retries=0) as client:
            await client.groups.list()

    start = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(call())
    assert 0.5 <= time.monotonic() - start < 1.5


def test_a_connection_that_cannot_be_made_is_retried(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    groups = make_client(base_url="http://127.0.0.1:1").groups
    start = time.monotonic()
    message = r"^The connection failed\. Check the network and the base URL\. ConnectError: ."
    with pytest.raises(ConnectionError, match=message):
        groups.update(SAMPLE, name="Ritz", if_match="*")
    # The waits are random. Both are shorter than this only once in 50,000 times.
    assert time.monotonic() - start > 0.003


def response(status: int, retry_after: str = "") -> _core.Response:
    return _core.Response(status, httpx.Headers({b"retry-after": retry_after.encode()}), b"")


def new_call(request: _core.Request[Any], retries: int) -> _core.Call[Any]:
    return _core.Call(request, 30, retries, httpx.Headers({"Authorization": "Bearer token"}))


def test_waits_grow_and_are_random() -> None:
    for attempts, longest in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        delays = []
        for _ in range(200):
            call = new_call(_core.get_group(SAMPLE), retries=10)
            for _ in range(attempts + 1):
                delay = call.record(response(503))
            assert delay is not None
            delays.append(delay)
        assert 0 <= min(delays) < longest / 4
        assert longest * 3 / 4 < max(delays) <= longest


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("3", 3, 3),
        ("30", 30, 30),
        ("86400", 30, 30),
        ("9" * 5000, 30, 30),
        ("0", 0, 0.5),
        ("-1", 0, 0.5),
        ("٣", 0, 0.5),
    ],
)
def test_retry_after_is_capped(retry_after: str, least: float, most: float) -> None:
    delay = new_call(_core.get_group(SAMPLE), retries=1).record(response(429, retry_after))
    assert delay is not None
    assert least <= delay <= most


def test_only_updates_with_if_match_depend_on_what_was_sent() -> None:
    errors = [httpx.ConnectError(""), httpx.ConnectTimeout(""), httpx.ReadError(""), httpx.ReadTimeout("")]
    requests = [_core.update_group(SAMPLE, {}, "*"), _core.update_group(SAMPLE, {}, _core.UNSET)]
    retried = [
        new_call(request, retries=1).record(error) is not None for request, error in itertools.product(requests, errors)
    ]
    assert retried == [True, True, False, False, True, True, True, True]

"""What the methods do, on the real API."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pytest
from conftest import API, FaultyProxy, MakeClient

from protocol_api import ApiClient, ApiError, Contact

OLDEST = "0" * 16
NAME = f"Many {uuid.uuid4()}"


@pytest.fixture(scope="session")
def many_groups(token: str) -> list[str]:
    """250 groups: their ids from the newest to the oldest. Eight threads share the client that creates them."""
    with ApiClient(token, base_url=API) as client, ThreadPoolExecutor(8) as threads:
        groups = list(threads.map(lambda number: client.groups.create(name=f"{NAME} {number}"), range(250)))
    return sorted((group.id for group in groups), reverse=True)


def many(groups: Any) -> list[str]:
    return [group.id for group in groups if group.name.startswith(NAME)]


def test_iterates_towards_older_groups(client: ApiClient, many_groups: list[str]) -> None:
    assert many(client.groups.iterate(limit=40)) == many_groups
    assert many(client.groups.iterate(starting_after=many_groups[99], limit=None)) == many_groups[100:]


def test_iterates_towards_newer_groups(client: ApiClient, many_groups: list[str]) -> None:
    assert many(client.groups.iterate(limit=40, ending_before=OLDEST)) == many_groups[::-1]
    assert many(client.groups.iterate(ending_before=many_groups[100])) == many_groups[99::-1]


def test_an_iteration_that_meets_an_error_raises_it(client: ApiClient) -> None:
    with pytest.raises(ApiError) as error:
        list(client.groups.iterate(limit=101))
    assert error.value.param == "limit"


def test_lists_pages_in_both_directions(client: ApiClient, many_groups: list[str]) -> None:
    older = client.groups.list(starting_after=many_groups[9], limit=3)
    assert [group.id for group in older.data] == many_groups[10:13]
    newer = client.groups.list(ending_before=many_groups[10], limit=3)
    assert [group.id for group in newer.data] == many_groups[7:10]
    assert older.has_more
    assert newer.has_more
    assert older.request_id
    assert len(client.groups.list().data) == 10
    # None is the same as absent.
    assert len(client.groups.list(limit=None, archived=None, starting_after=None, ending_before=None).data) == 10
    assert not client.groups.list(ending_before="z" * 16).data


def test_lists_archived_groups(client: ApiClient) -> None:
    group = client.groups.create(name="Archived")
    client.groups.update(group.id, archived_at=692233200)
    # A list with this filter may lag.
    deadline = time.monotonic() + 10
    while group.id not in [archived.id for archived in client.groups.iterate(archived=True)]:
        assert time.monotonic() < deadline
    while group.id in [active.id for active in client.groups.iterate(archived=False)]:
        assert time.monotonic() < deadline


def test_iterates_in_pages_of_100(make_client: MakeClient, faulty_proxy: Callable[..., FaultyProxy]) -> None:
    proxy = faulty_proxy()
    for parameters in ({}, {"limit": None}):
        assert next(iter(make_client(base_url=proxy.url).groups.iterate(**parameters)))
    assert {request.partition("&")[0] for request in proxy.requests()} == {"GET /v1/groups?limit=100"}


def test_creates_and_retrieves_a_group(client: ApiClient) -> None:
    created = client.groups.create(
        name="Plaza Hotel",
        description="World-renowned.",
        avatar_url="https://assets.protocol.chat/avatars/plazahotel.jpg",
        contacts=[{"username": "Hector"}, {"username": "Cedric", "last_active_at": 692233200}],
    )
    assert created.contacts[1]["last_active_at"] == 692233200
    assert created.contacts[0]["phone_number"] is None
    assert created.created_at > 692233200
    retrieved = client.groups.get(created.id)
    assert retrieved == created
    assert retrieved.etag == created.etag
    assert retrieved.etag
    assert retrieved.request_id
    assert retrieved.request_id != created.request_id


def test_null_clears_a_member_and_an_absent_member_keeps_its_value(client: ApiClient) -> None:
    group = client.groups.create(name="Plaza Hotel", description="World-renowned.", contacts=[{"username": "Hector"}])
    assert client.groups.update(group.id) == group
    renamed = client.groups.update(group.id, name="Ritz")
    assert (renamed.name, renamed.description) == ("Ritz", "World-renowned.")
    assert client.groups.update(group.id, description=None).description is None
    assert client.groups.update(group.id, archived_at=692233200).archived_at == 692233200
    assert client.groups.update(group.id, archived_at=None).archived_at is None
    cleared = client.groups.update(group.id, contacts=None)
    assert (cleared.name, cleared.contacts) == ("Ritz", [])


def test_contacts_can_be_sent_back_as_they_were_received(client: ApiClient) -> None:
    contacts: list[Contact] = [{"username": f"contact-{number}", "display_name": "Ω"} for number in range(1000)]
    group = client.groups.create(name="Large", contacts=contacts)
    assert [contact["username"] for contact in group.contacts] == [contact["username"] for contact in contacts]
    assert client.groups.update(group.id, contacts=group.contacts).contacts == group.contacts
    assert json.loads(json.dumps(asdict(group)))["contacts"] == group.contacts


def test_text_is_stored_exactly(client: ApiClient) -> None:
    # A precomposed and a combining accent, a family of joined emojis, right-to-left text, and a character beyond the
    # basic plane.
    name = "\u00e9 e\u0301 👨\u200d👩\u200d👧 שלום 𐍈 \\ \" '"
    group = client.groups.create(name=name, description="a\n\tb\r\n", contacts=[{"username": "用户"}])
    assert client.groups.get(group.id).name == name
    assert client.groups.get(group.id).description == "a\n\tb\r\n"
    assert client.groups.get(group.id).contacts[0]["username"] == "用户"
    # As JSON escapes, this body would be too large.
    emojis: list[Contact] = [{"username": f"{number}", "display_name": "😀" * 85} for number in range(700)]
    assert client.groups.update(group.id, contacts=emojis).contacts[699]["display_name"] == "😀" * 85


def test_an_update_needs_the_current_etag(client: ApiClient) -> None:
    group = client.groups.create(name="Plaza Hotel")
    changed = client.groups.update(group.id, name="Ritz", if_match=group.etag)
    for conditional in (
        lambda: client.groups.update(group.id, name="Savoy", if_match=group.etag),
        lambda: client.groups.delete(group.id, if_match=group.etag),
    ):
        with pytest.raises(ApiError) as error:
            conditional()
        assert error.value.code == "precondition_failed"
    client.groups.delete(group.id, if_match=changed.etag)
    with pytest.raises(ApiError, match="group_not_found"):
        client.groups.get(group.id)


def test_the_same_idempotency_key_creates_one_group(client: ApiClient) -> None:
    key = str(uuid.uuid4())
    created = client.groups.create(name="Plaza Hotel", idempotency_key=key)
    assert client.groups.create(name="Plaza Hotel", idempotency_key=key).id == created.id
    assert client.groups.create(name="Plaza Hotel").id != created.id


@pytest.mark.parametrize("id", ["..", ".", "a/b", "../tokens", "?limit=1", "#", "%2e%2e", "a b", "é"])
def test_an_id_is_one_segment_of_the_path(
    id: str, make_client: MakeClient, faulty_proxy: Callable[..., FaultyProxy]
) -> None:
    proxy = faulty_proxy()
    with pytest.raises(ApiError) as error:
        make_client(base_url=proxy.url).groups.get(id)
    assert error.value.code == "group_not_found"
    [request] = proxy.requests()
    assert request.startswith(("GET /v1/groups/%", "GET /v1/groups/a%"))
    assert request.count("/") == 3
    assert "?" not in request


def test_arguments_that_would_change_the_request_are_rejected(
    make_client: MakeClient, faulty_proxy: Callable[..., FaultyProxy]
) -> None:
    proxy = faulty_proxy()
    groups = make_client(base_url=proxy.url).groups
    invalid: list[Callable[[], object]] = [
        lambda: groups.get(""),
        lambda: groups.get(None),  # type: ignore[arg-type]
        lambda: groups.get(5),  # type: ignore[arg-type]
        lambda: groups.update("", name="Ritz"),
        lambda: groups.delete(""),
        # The ETag of a group of a page.
        lambda: groups.delete("L7cGNIBKZiNJ6wqF", if_match=None),
        lambda: groups.update("L7cGNIBKZiNJ6wqF", if_match=None),
        lambda: groups.delete("L7cGNIBKZiNJ6wqF", if_match=""),
        lambda: groups.delete("L7cGNIBKZiNJ6wqF", if_match=5),  # type: ignore[arg-type]
        lambda: groups.update("L7cGNIBKZiNJ6wqF", if_match='"a" '),
        lambda: groups.update("L7cGNIBKZiNJ6wqF", if_match='"a"\r\nX: y'),
        lambda: groups.create(name="Ritz", idempotency_key=5),  # type: ignore[arg-type]
        lambda: groups.create(name="Ritz", idempotency_key=""),
        lambda: groups.create(name="Ritz", idempotency_key="ключ"),
        lambda: groups.update("L7cGNIBKZiNJ6wqF", archived_at=float("nan")),  # type: ignore[arg-type]
        lambda: groups.create(name="\ud800"),
        lambda: groups.create(description="\ud800"),  # type: ignore[call-arg]
    ]
    for call in invalid:
        with pytest.raises(ValueError, match=r"must be|JSON|surrogates"):
            call()
    with pytest.raises(TypeError, match="JSON"):
        groups.create(name=object())  # type: ignore[arg-type]
    assert proxy.requests() == []

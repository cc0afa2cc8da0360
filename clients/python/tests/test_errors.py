"""The errors that a caller meets."""

from __future__ import annotations

import builtins
import copy
import json
import logging
import math
import pickle
import pprint
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from conftest import API, FaultyProxy, MakeClient, Respond

import protocol_api
from protocol_api import ApiClient, ApiError, AsyncApiClient, ProtocolError

StartProxy = Callable[..., FaultyProxy]

NOT_FROM_API = "The response with status {} is not from the API. If it persists, check the base URL."
NESTED: Any = []
for _ in range(200):
    NESTED = [NESTED]


def reuse_key(client: ApiClient) -> None:
    key = str(uuid.uuid4())
    client.groups.create(name="Plaza Hotel", idempotency_key=key)
    client.groups.create(name="Ritz", idempotency_key=key)


def lose_update(client: ApiClient) -> None:
    group = client.groups.create(name="Plaza Hotel")
    client.groups.update(group.id, name="Ritz")
    client.groups.update(group.id, name="Savoy", if_match=group.etag)


# The errors of the API that a client can cause: its requests always have a token, a known method and JSON.
@pytest.mark.parametrize(
    ("status", "code", "param", "cause"),
    [
        (400, "malformed_body", None, lambda client: client.groups.create(name=NESTED)),
        (400, "missing", "name", lambda client: client.groups.create()),
        (400, "unknown", "nickname", lambda client: client.groups.create(name="Plaza Hotel", nickname="The Plaza")),
        (400, "unknown", "page", lambda client: client.groups.list(page=2)),
        (
            400,
            "repeated",
            "contacts[1].username",
            lambda client: client.groups.create(name="Plaza Hotel", contacts=[{"username": "Hector"}] * 2),
        ),
        (400, "invalid", "name", lambda client: client.groups.create(name="")),
        (400, "invalid", "starting_after", lambda client: client.groups.list(starting_after="")),
        (400, "invalid", "If-Match", lambda client: client.groups.delete("L7cGNIBKZiNJ6wqF", if_match="none")),
        (404, "group_not_found", None, lambda client: client.groups.get("0" * 16)),
        (412, "precondition_failed", None, lose_update),
        (413, "body_too_large", None, lambda client: client.groups.create(name="x" * 1_100_000)),
        (422, "idempotency_key_reused", None, reuse_key),
    ],
)
def test_an_error_of_the_api_has_all_details(
    status: int, code: str, param: str | None, cause: Callable[[ApiClient], None], client: ApiClient
) -> None:
    with pytest.raises(ApiError) as info:
        cause(client)
    error = info.value
    assert (error.status, error.type, error.code) == (status, "invalid_request", code)
    assert error.param == param
    assert error.message
    assert error.request_id
    assert error.documentation_url == "https://protocol.chat/docs/errors/invalid_request"
    assert error.message in str(error)
    assert code in str(error)
    assert error.request_id in str(error)


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("groups_unknown", 401, "token_invalid"), ('a"b', 400, "token_malformed")],
)
def test_a_wrong_token_is_an_error(token: str, status: int, code: str, make_client: MakeClient) -> None:
    with pytest.raises(ApiError) as error:
        make_client(token).groups.list()
    assert (error.value.status, error.value.code) == (status, code)


def test_a_wrong_base_url_is_an_error(make_client: MakeClient) -> None:
    with pytest.raises(ApiError) as error:
        make_client(base_url=f"{API}/nowhere").groups.list()
    assert (error.value.status, error.value.code) == (404, "path_not_found")


@pytest.mark.parametrize("client_class", [ApiClient, AsyncApiClient])
@pytest.mark.parametrize(
    "options",
    [
        *(
            {"base_url": f"https://{rest}"}
            for rest in ("", "u:p@a.example", "u@a.example", "a.example?", "a.example#b")
        ),
        *(
            {"base_url": url}
            for url in ("", "api.example", "ftp://a.example", " http://a.example", "http://a:99999", 1)
        ),
        *({"timeout": timeout} for timeout in (0, -1, math.nan, math.inf, 1e300, None, "5")),
        *({"retries": retries} for retries in (-1, 1.5, "2", None)),
    ],
)
def test_invalid_options_are_errors_that_do_not_show_the_token(
    options: dict[str, Any], client_class: type[ApiClient], token: str
) -> None:
    with pytest.raises(ValueError, match=r"^(The base URL|`timeout`|`retries`) must be ") as info:
        client_class(token, **options)
    if "base_url" in options:
        assert str(info.value) == (
            "The base URL must be an http or https URL without credentials, query or fragment, such as "
            "https://api.protocol.chat."
        )
    assert token not in show_frames_of_the_package(info.value)


@pytest.mark.parametrize("client_class", [ApiClient, AsyncApiClient])
def test_a_proxy_that_is_not_supported_is_an_error_that_does_not_show_the_token(
    client_class: type[ApiClient], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("socks5://127.0.0.1:1", "ftp://127.0.0.1:1"):
        monkeypatch.setenv("ALL_PROXY", proxy)
        with pytest.raises(
            ValueError, match=r"^The proxy that the environment variables set cannot be used\. ."
        ) as info:
            client_class(token)
        assert token not in show_frames_of_the_package(info.value)


def show_frames_of_the_package(error: Exception) -> str:
    """Returns the local variables too, because services that collect errors store them."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in shown.stack if "site-packages" in frame.filename]
    return "".join(f"{frame} {frame.locals}" for frame in frames) + "".join(shown.format_exception_only())


@pytest.mark.parametrize(
    ("fault", "status", "type", "code", "message"),
    [
        ("503", 503, "api_error", "unavailable", "The fault is unavailable."),
        ("unknown", 503, "api_error", "outcome_unknown", "The fault is outcome_unknown."),
        ("429", 429, None, None, "The fault."),
        ("413", 413, None, None, "The fault."),
        ("html", 502, None, None, NOT_FROM_API.format(502)),
        ("garbage", 200, None, None, NOT_FROM_API.format(200)),
    ],
)
def test_every_other_body_becomes_the_same_error(
    fault: str, status: int, type: str, code: str, message: str, make_client: MakeClient, faulty_proxy: StartProxy
) -> None:
    with pytest.raises(ApiError) as error:
        make_client(base_url=faulty_proxy(fault).url, retries=0).groups.list()
    assert error.value.args[:4] == (message, status, type, code)


def respond(status: int, body: str, headers: str = "") -> Respond:
    """Returns what responds to each request with this body."""

    def write(connection, request) -> None:  # type: ignore[no-untyped-def]
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}"
        connection.wfile.write(f"{head}\r\n{body}".encode())

    return write


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        '{"message": null}',
        '{"message": ["text"]}',
        "\0",
        "[" * 200_000 + "]" * 200_000,
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_body_that_is_not_expected_is_an_error(
    body: str, status: int, make_client: MakeClient, serve: Callable[[Respond], str]
) -> None:
    groups = make_client(base_url=serve(respond(status, body, "apigw-requestid: 123\r\n")), retries=0).groups
    calls: list[Callable[[], Any]] = [lambda: groups.get("a"), groups.list, lambda: groups.delete("a")]
    for call in calls:
        with pytest.raises(ApiError) as error:
            call()
        assert (error.value.status, error.value.request_id) == (status, "123")
        assert error.value.message == NOT_FROM_API.format(status)


GROUP: dict[str, object] = {
    "id": "a",
    "name": "b",
    "description": None,
    "avatar_url": None,
    "conversation_id": "c",
    "contacts": [],
    "created_at": 1,
    "archived_at": None,
}


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Hello", "code": "group_not_found"},
        {**GROUP, "id": 1},
        {**GROUP, "contacts": None},
        {"data": [GROUP]},
        {"data": [GROUP], "has_more": "false"},
        {"data": "", "has_more": False},
        {"data": [], "has_more": True},
        {"data": [{}], "has_more": False},
    ],
)
def test_a_success_that_is_not_what_the_api_responds_is_an_error(
    body: object, make_client: MakeClient, serve: Callable[[Respond], str]
) -> None:
    groups = make_client(base_url=serve(respond(200, json.dumps(body)))).groups
    for call in (lambda: groups.get("a"), groups.list):
        with pytest.raises(ApiError) as error:
            call()
        assert error.value.args == (NOT_FROM_API.format(200), 200, None, None, None, None, None)


def test_only_204_is_the_success_of_a_delete(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    for status in (200, 202):
        with pytest.raises(ApiError) as error:
            make_client(base_url=serve(respond(status, ""))).groups.delete("a")
        assert error.value.status == status


def test_a_page_from_which_the_next_page_would_be_the_same_is_an_error(
    make_client: MakeClient, serve: Callable[[Respond], str]
) -> None:
    page = json.dumps({"data": [{**GROUP, "id": "b"}, GROUP], "has_more": True})
    groups = make_client(base_url=serve(respond(200, page))).groups
    calls: list[Callable[[], Any]] = [
        lambda: groups.list(starting_after="a"),
        lambda: groups.list(ending_before="b"),
        lambda: list(groups.iterate()),
        lambda: list(groups.iterate(ending_before="0")),
    ]
    for call in calls:
        with pytest.raises(ApiError, match="is not from the API"):
            call()
    assert len(groups.list(starting_after="b").data) == 2


def test_a_token_that_a_server_repeats_is_not_in_the_error(
    make_client: MakeClient, serve: Callable[[Respond], str], token: str
) -> None:
    names = ("message", "type", "code", "param", "documentation_url")
    body = json.dumps(dict.fromkeys(names, f"Bearer {token}"))
    groups = make_client(base_url=serve(respond(403, body, f"x-request-id: {token}\r\n"))).groups
    with pytest.raises(ApiError) as info:
        groups.list()
    assert {getattr(info.value, name) for name in names} == {"Bearer ***"}
    assert info.value.request_id == "***"
    broken = serve(lambda connection, head: connection.wfile.write(f"HTTP/1.1 {token}\r\n\r\n".encode()))  # type: ignore[arg-type]
    with pytest.raises(protocol_api.ConnectionError, match=r"\*\*\*") as lost:
        make_client(base_url=broken, retries=0).groups.list()
    for error in (info.value, lost.value):
        shown = show_frames_of_the_package(error)
        assert "_call" in shown
        assert token not in shown


def test_new_members_of_a_response_are_ignored(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    group = """{"id": "a", "name": "b", "description": null, "avatar_url": null, "conversation_id": "c",
        "contacts": [{"username": "d", "pronouns": "e"}], "created_at": 1, "archived_at": null, "color": "red"}"""
    assert make_client(base_url=serve(respond(200, group))).groups.get("a").contacts == [
        {"username": "d", "pronouns": "e"}
    ]
    page = make_client(base_url=serve(respond(200, f'{{"data": [{group}], "has_more": false, "total": 1}}')))
    assert page.groups.list().data[0].name == "b"


def test_redirects_are_not_followed(make_client: MakeClient, serve: Callable[[Respond], str]) -> None:
    requests: list[str] = []
    other = serve(lambda connection, head: requests.append(head))
    for status in (301, 302, 307, 308):
        redirect = serve(respond(status, "", f"Location: {other}\r\n"))
        with pytest.raises(ApiError) as error:
            make_client(base_url=redirect).groups.list()
        assert error.value.status == status
    assert not requests


def test_errors_can_be_caught_by_the_built_in_classes_and_copied() -> None:
    assert issubclass(protocol_api.ConnectionError, builtins.ConnectionError)
    assert issubclass(protocol_api.TimeoutError, builtins.TimeoutError)
    assert not issubclass(protocol_api.TimeoutError, protocol_api.ConnectionError)
    error = ApiError("No.", 400, code="invalid", request_id="123")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert vars(other) == vars(error)
        assert str(other) == "No. (status 400, code invalid, request_id 123)"
    assert str(protocol_api.TimeoutError("Late.")) == "Late."


@pytest.mark.parametrize("client_class", [ApiClient, AsyncApiClient])
def test_objects_do_not_show_the_token(client_class: type[ApiClient], token: str) -> None:
    client = client_class(token)
    for thing in (client, client.groups, vars(client), vars(client.groups), vars(client._http), client._http.headers):
        for show in (repr, str, pprint.pformat, lambda thing: json.dumps(thing, default=str)):
            assert token not in show(thing)
    with pytest.raises(TypeError):
        pickle.dumps(client)


@pytest.mark.parametrize("client_class", [ApiClient, AsyncApiClient])
@pytest.mark.parametrize("suffix", ["\n", "\r\nX: y", "é", "\0"])
def test_a_token_that_cannot_be_sent_is_an_error_that_does_not_show_it(
    suffix: str, client_class: type[ApiClient], token: str
) -> None:
    message = r"^The token must be a string of visible ASCII characters without spaces\.$"
    with pytest.raises(ValueError, match=message) as error:
        client_class(token + suffix)
    assert token not in show_frames_of_the_package(error.value)
    for invalid in ("", "two tokens", None):
        with pytest.raises(ValueError, match=message):
            client_class(invalid)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize("fault", ["pass", "400", "429", "html", "garbage", "close", "lose", "slow:1"])
def test_errors_and_logs_do_not_show_the_token(
    fault: str, make_client: MakeClient, faulty_proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client(base_url=faulty_proxy(*[fault] * 3).url, timeout=0.5)
    shown = ""
    try:
        client.groups.create(name="Plaza Hotel")
    except ProtocolError as error:
        # The local variables too, because services that collect errors store them.
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        shown += repr(error) + str(error) + repr(vars(error)) + repr(pickle.dumps(error))
        assert "create" in shown
    assert (fault == "pass") == (shown == "")
    assert "HTTP Request" in caplog.text or fault in ("close", "lose", "slow:1")
    assert "receive_response_headers" in caplog.text
    assert "groups_" not in shown + caplog.text


# If headers cannot be written, the frame of httpcore that fails contains them.
@pytest.mark.parametrize("fault", ["close", "slow:1", "garbage"])
def test_errors_do_not_show_their_cause(fault: str, make_client: MakeClient, faulty_proxy: StartProxy) -> None:
    with pytest.raises(ProtocolError) as error:
        make_client(base_url=faulty_proxy(fault).url, timeout=0.5, retries=0).groups.list()
    assert error.value.__cause__ is None
    assert error.value.__context__ is None or error.value.__suppress_context__

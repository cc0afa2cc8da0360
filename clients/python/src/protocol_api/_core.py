"""What both clients share: requests, responses, retries and errors. Nothing here sends or waits."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from ._errors import ApiError, ConnectionError, TimeoutError
from ._models import Group, GroupChanges, ListParameters, NewGroup, Page

VERSION = "0.1.0"

_RETRIED = {408, 429, 500, 502, 503, 504}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_MAX_TIMEOUT = 86_400
_GROUP_MEMBERS = [member.name for member in fields(Group) if member.default is MISSING]

# The default of `if_match`. None is no default, because the groups of a page have no ETag: `if_match=group.etag` would
# not protect them.
UNSET: Any = object()

T = TypeVar("T")
HttpClient = TypeVar("HttpClient", httpx.Client, httpx.AsyncClient)


# Without `repr`, because a server may repeat the token in what it responds.
@dataclass(frozen=True, repr=False)
class Response:
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def request_id(self) -> str | None:
        # API Gateway's own responses only have the second.
        id: str | None = self.headers.get("x-request-id", self.headers.get("apigw-requestid"))
        return id

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Request(Generic[T]):
    """A request, and how to parse its response. Every attempt sends the same request."""

    method: str
    path: str
    parse: Callable[[Response], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def list_groups(params: ListParameters) -> Request[Page]:
    given = _given(params)
    return Request("GET", "/v1/groups", partial(_parse_page, given), params=given)


def first_page(params: ListParameters) -> ListParameters:
    """Returns the parameters of the first page of an iteration."""
    return cast(ListParameters, {"limit": 100, **_given(params)})


def follow(params: ListParameters, page: Page) -> tuple[list[Group], ListParameters | None]:
    """Returns the page's groups in the direction of travel, and the parameters of the next page, if there is one."""
    cursor, groups = _in_direction(params, page.data)
    return groups, cast(ListParameters, {**params, cursor: groups[-1].id}) if page.has_more else None


def _given(params: ListParameters) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _in_direction(params: Mapping[str, Any], groups: list[Group]) -> tuple[str, list[Group]]:
    return ("ending_before", groups[::-1]) if "ending_before" in params else ("starting_after", groups)


def create_group(members: NewGroup, idempotency_key: str | None) -> Request[Group]:
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    if not _is_header_value(key):
        raise ValueError("`idempotency_key` must be a string of visible ASCII characters.")
    return _write("POST", "/v1/groups", members, {"Idempotency-Key": key})


def get_group(id: str) -> Request[Group]:
    return Request("GET", _group_path(id), _parse_group)


def update_group(id: str, changes: GroupChanges, if_match: str | None) -> Request[Group]:
    return _write("PUT", _group_path(id), changes, _if_match(if_match))


def delete_group(id: str, if_match: str | None) -> Request[None]:
    return Request("DELETE", _group_path(id), _parse_nothing, headers=_if_match(if_match))


def _write(method: str, path: str, members: Mapping[str, Any], headers: Mapping[str, str]) -> Request[Group]:
    # Without escapes, because they would make a body of many emojis larger than the API allows.
    body = json.dumps(members, ensure_ascii=False, allow_nan=False).encode()
    return Request(method, path, _parse_group, headers={"Content-Type": "application/json", **headers}, body=body)


def _group_path(id: str) -> str:
    if not isinstance(id, str) or not id:
        raise ValueError("The id of a group must be a string that is not empty.")
    # Dots too, because httpx would resolve a path that ends in `/..`.
    return "/v1/groups/" + quote(id, safe="").replace(".", "%2E")


def _if_match(etag: str | None) -> dict[str, str]:
    if etag is UNSET:
        return {}
    if not _is_header_value(etag):
        raise ValueError("`if_match` must be the ETag of a group. Retrieve the group to get it.")
    return {"If-Match": cast(str, etag)}


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[!-~]([ -~]*[!-~])?", value) is not None


def _group(body: Any, etag: str | None = None, request_id: str | None = None) -> Group:
    if not isinstance(body["id"], str) or not isinstance(body["contacts"], list):
        raise TypeError
    return Group(**{name: body[name] for name in _GROUP_MEMBERS}, etag=etag, request_id=request_id)


def _parse_group(response: Response) -> Group:
    return _group(json.loads(response.body), response.headers.get("etag"), response.request_id)


def _parse_page(params: Mapping[str, Any], response: Response) -> Page:
    body = json.loads(response.body)
    if not isinstance(body["data"], list) or not isinstance(body["has_more"], bool):
        raise TypeError
    page = Page(
        data=[_group(group) for group in body["data"]], has_more=body["has_more"], request_id=response.request_id
    )
    # Otherwise the next page would be this one.
    cursor, groups = _in_direction(params, page.data)
    if groups[-1].id == params.get(cursor) if groups else page.has_more:
        raise ValueError
    return page


def _parse_nothing(response: Response) -> None:
    if response.status != 204:
        raise ValueError


class Call(Generic[T]):
    """One call of a client's method: takes the outcome of each attempt, and decides whether another one follows."""

    def __init__(self, request: Request[T], timeout: float, retries: int, headers: httpx.Headers) -> None:
        self._request = request
        self._timeout = timeout
        self._retries = retries
        self._headers = headers
        self._attempts = 0
        self._may_be_applied = False
        self._outcome: Response | httpx.RequestError

    def record(self, outcome: Response | httpx.RequestError) -> float | None:
        """Records the outcome of an attempt. Returns the seconds until the next one, or None if there is none."""
        self._outcome = outcome
        self._attempts += 1
        least = 0.0
        if isinstance(outcome, Response):
            if outcome.status not in _RETRIED:
                return None
            may_be_applied = outcome.status not in (408, 429) and self._error(outcome).code != "unavailable"
            if re.fullmatch("[0-9]+", retry_after := outcome.headers.get("retry-after", "")):
                # Python limits the digits of an int, but not those of a float.
                least = min(30, float(retry_after))
        else:
            may_be_applied = not isinstance(outcome, _NOT_SENT)
        # If this attempt was applied, the next one would meet the ETag of its own change, and fail.
        conditional_update = self._request.method == "PUT" and "If-Match" in self._request.headers
        if self._attempts > self._retries or (conditional_update and may_be_applied):
            return None
        self._may_be_applied |= may_be_applied
        return max(least, random.uniform(0, min(8, 0.5 * 2 ** (self._attempts - 1))))

    def result(self) -> T:
        """Returns what the last response contains, or raises the error."""
        # The outcome is no local variable, because some services that collect errors store the local variables.
        if not isinstance(self._outcome, Response):
            # Without `from`, because the headers can be a local variable in the stack frames of the cause.
            cause = self._redact(f"{type(self._outcome).__name__}: {self._outcome}")
            if isinstance(self._outcome, httpx.TimeoutException):
                raise TimeoutError(
                    f"There was no complete response within {self._timeout} seconds. Try again later. {cause}"
                )
            raise ConnectionError(f"The connection failed. Check the network and the base URL. {cause}")
        if not self._outcome.is_success:
            error = self._error(self._outcome)
            if self._request.method == "DELETE" and self._may_be_applied and error.code == "group_not_found":
                return cast(T, None)
            raise error
        with suppress(KeyError, TypeError, ValueError, RecursionError):
            return self._request.parse(self._outcome)
        raise self._error(self._outcome)

    def _error(self, response: Response) -> ApiError:
        """Returns the error that a response describes. Its body may be API Gateway's, or a proxy's HTML."""
        try:
            body = None if response.is_success else json.loads(response.body)
        except (ValueError, RecursionError):
            body = None
        members = body if isinstance(body, dict) else {}
        names = ("message", "type", "code", "param", "documentation_url")
        texts = {name: self._redact(members[name]) for name in names if isinstance(members.get(name), str)}
        not_from_api = f"The response with status {response.status} is not from the API."
        texts.setdefault("message", f"{not_from_api} If it persists, check the base URL.")
        request_id = self._redact(response.request_id) if response.request_id else None
        return ApiError(status=response.status, request_id=request_id, **texts)

    def _redact(self, text: str) -> str:
        return text.replace(self._headers["Authorization"].removeprefix("Bearer "), "***")


class Deadline:
    """The time-outs of an attempt, in place of httpx's dict: httpcore calls `get` for each step."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get(self, step: str, default: None) -> float:
        return max(0.001, self._end - time.monotonic())

    def check(self) -> None:
        """Raises an error if the time is over. A server may send its body in many small parts."""
        if time.monotonic() > self._end:
            raise httpx.ReadTimeout("The body is too slow.")


def auth_headers(token: str) -> httpx.Headers | None:
    """Returns the headers of all requests, or None if a header cannot contain the token.

    They are the only place of the token, because httpx hides it there.
    """
    if not isinstance(token, str) or not re.fullmatch("[!-~]+", token):
        return None
    return httpx.Headers({"Authorization": f"Bearer {token}", "User-Agent": f"protocol-api-python/{VERSION}"})


def make_http(
    client: type[HttpClient], headers: httpx.Headers | None, base_url: str | None, timeout: float, retries: int
) -> HttpClient:
    """Checks the options, and returns the client of httpx."""
    if base_url is None:
        base_url = os.environ.get("PROTOCOL_BASE_URL") or "https://api.protocol.chat"
    if not _is_base_url(base_url):
        raise ValueError(
            "The base URL must be an http or https URL without credentials, query or fragment, such as "
            "https://api.protocol.chat."
        )
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= _MAX_TIMEOUT:
        raise ValueError("`timeout` must be a positive number of seconds, 86,400 (a day) at most.")
    if not isinstance(retries, int) or retries < 0:
        raise ValueError("`retries` must be 0 or a positive integer.")
    if headers is None:
        raise ValueError("The token must be a string of visible ASCII characters without spaces.")
    try:
        return client(base_url=base_url, headers=headers, timeout=None)
    except (ImportError, ValueError) as error:
        cause = str(error)
    raise ValueError(f"The proxy that the environment variables set cannot be used. {cause}")


def _is_base_url(text: object) -> bool:
    pattern = r"(?i:https?)://[^\s/?#@\\]+(/[^\s?#\\]*)?"
    if not isinstance(text, str) or not re.fullmatch(pattern, text):
        return False
    try:
        # It checks the port.
        urlsplit(text).port  # noqa: B018
        httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        return False
    return True


def send_options(request: Request[T]) -> dict[str, Any]:
    """Returns the arguments of httpx's `request` and `stream`."""
    return {
        "method": request.method,
        "url": request.path,
        "params": request.params,
        "headers": request.headers,
        "content": request.body,
    }

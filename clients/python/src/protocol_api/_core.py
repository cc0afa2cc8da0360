"""What both clients share: requests, responses, retries and errors. Nothing here sends or waits."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Generic, NamedTuple, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import httpx

from ._errors import ApiError, ConnectionError, TimeoutError
from ._models import Group, GroupChanges, ListParameters, NewGroup, Page

VERSION = "0.1.0"

_RETRIED = {408, 429, 500, 502, 503, 504}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_GROUP_MEMBERS = [member.name for member in fields(Group) if member.default is MISSING]

T = TypeVar("T")


class Response(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def request_id(self) -> str | None:
        # API Gateway's own responses only have the second.
        id: str | None = self.headers.get("x-request-id", self.headers.get("apigw-requestid"))
        return id

    def error(self) -> ApiError:
        """Returns the error that the body describes. The body may be API Gateway's, or a proxy's HTML."""
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        members = body if isinstance(body, dict) else {}
        names = ("message", "type", "code", "param", "documentation_url")
        texts = {name: members[name] for name in names if isinstance(members.get(name), str)}
        texts.setdefault("message", "The response is an error without a message.")
        return ApiError(status=self.status, request_id=self.request_id, **texts)


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
    given = {name: value for name, value in params.items() if value is not None}
    return Request("GET", "/v1/groups", _parse_page, params=given)


def create_group(members: NewGroup, idempotency_key: str | None) -> Request[Group]:
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    return _write("POST", "/v1/groups", members, {"Idempotency-Key": _header_value("idempotency_key", key)})


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
    if not id:
        raise ValueError("The id is empty. Pass the id of a group.")
    # Dots too, because httpx would resolve a path that ends in `/..`.
    return "/v1/groups/" + quote(id, safe="").replace(".", "%2E")


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": _header_value("if_match", etag)}


def _header_value(name: str, value: str) -> str:
    # The message does not contain the value, because it may be the token.
    if not re.fullmatch("[!-~][ -~]*", value):
        raise ValueError(f"`{name}` is empty, or cannot be sent in a header. Pass visible ASCII characters.")
    return value


def _group(body: Any, etag: str | None = None, request_id: str | None = None) -> Group:
    return Group(**{name: body[name] for name in _GROUP_MEMBERS}, etag=etag, request_id=request_id)


def _parse_group(response: Response) -> Group:
    return _group(json.loads(response.body), response.headers.get("etag"), response.request_id)


def _parse_page(response: Response) -> Page:
    body = json.loads(response.body)
    groups = [_group(group) for group in body["data"]]
    return Page(data=groups, has_more=body["has_more"], request_id=response.request_id)


def _parse_nothing(response: Response) -> None:
    if response.status != 204:
        raise ValueError


class Call(Generic[T]):
    """One call of a client's method: takes the outcome of each attempt, and decides whether another one follows."""

    def __init__(self, request: Request[T], retries: int) -> None:
        self._request = request
        self._retries = retries
        self._attempts = 0
        self._may_be_applied = False
        self._outcome: Response | httpx.RequestError

    def delay(self, outcome: Response | httpx.RequestError) -> float | None:
        """Returns the seconds until the next attempt, or None if `result` is final."""
        self._outcome = outcome
        self._attempts += 1
        least = 0
        if isinstance(outcome, Response):
            if outcome.status not in _RETRIED:
                return None
            may_be_applied = outcome.status not in (408, 429) and outcome.error().code != "unavailable"
            if re.fullmatch("[0-9]{1,9}", retry_after := outcome.headers.get("retry-after", "")):
                least = min(30, int(retry_after))
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
        outcome = self._outcome
        if not isinstance(outcome, Response):
            # Without the cause, because the headers can be a local variable in its stack frames.
            cause = f"{type(outcome).__name__}: {outcome}"
            if isinstance(outcome, httpx.TimeoutException):
                raise TimeoutError(f"The response did not arrive in time. {cause}")
            raise ConnectionError(f"The connection failed. {cause}")
        if outcome.status == 404 and self._request.method == "DELETE" and self._may_be_applied:
            outcome = outcome._replace(status=204)
        if not 200 <= outcome.status < 300:
            raise outcome.error()
        try:
            return self._request.parse(outcome)
        except (KeyError, TypeError, ValueError):
            message = "The response is a success, but its body is not what the API promises."
            raise ApiError(message, outcome.status, request_id=outcome.request_id) from None


class Deadline:
    """The time-outs of an attempt. httpx has one for each step, and gets the time that remains when the step begins."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get(self, step: str, default: None) -> float:
        return max(0.001, self._end - time.monotonic())

    def check(self) -> None:
        """Raises an error if the time is over. A server may send its body in many small parts."""
        if time.monotonic() > self._end:
            raise httpx.ReadTimeout("The body is too slow.")


def http_options(token: str, base_url: str | None) -> dict[str, Any]:
    """Returns the arguments of httpx's client. The token is only in its headers, because httpx hides it there."""
    url = base_url or os.environ.get("PROTOCOL_BASE_URL") or "https://api.protocol.chat"
    if not url.startswith(("https://", "http://")):
        raise ValueError("The base URL must start with https:// or http://.")
    headers = {
        "Authorization": f"Bearer {_header_value('token', token)}",
        "User-Agent": f"protocol-api-python/{VERSION}",
    }
    return {"base_url": url, "headers": headers}


def send_options(request: Request[T], deadline: Deadline) -> dict[str, Any]:
    """Returns the arguments of httpx's `stream`."""
    return {
        "method": request.method,
        "url": request.path,
        "params": request.params,
        "headers": request.headers,
        "content": request.body,
        "extensions": {"timeout": deadline},
    }


def follow(params: ListParameters, page: Page) -> tuple[list[Group], ListParameters | None]:
    """Returns the page's groups in the direction of travel, and the parameters of the next page, if there is one."""
    cursor = "starting_after" if params.get("ending_before") is None else "ending_before"
    groups = page.data if cursor == "starting_after" else page.data[::-1]
    more = page.has_more and groups
    return groups, cast(ListParameters, {**params, cursor: groups[-1].id}) if more else None

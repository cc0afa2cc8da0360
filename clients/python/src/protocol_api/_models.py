"""The types of the API: what a client sends and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict


class _ContactName(TypedDict):
    username: str


class Contact(_ContactName, total=False):
    """A contact of a group. A response has all members, so it can be sent back as it was received."""

    id: str | None
    phone_number: str | None
    avatar_url: str | None
    display_name: str | None
    conversation_id: str | None
    last_active_at: int | None
    created_at: int | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group. Timestamps are Unix seconds. Groups of a list have no ETag."""

    id: str
    name: str
    description: str | None
    avatar_url: str | None
    conversation_id: str
    contacts: list[Contact]
    created_at: int
    archived_at: int | None
    etag: str | None = field(default=None, compare=False)
    request_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of groups, newest first. `has_more` is about the direction of travel."""

    data: list[Group]
    has_more: bool
    request_id: str | None = field(default=None, compare=False)


class ListParameters(TypedDict, total=False):
    """The optional arguments of a list. None is the same as absent."""

    limit: int | None
    archived: bool | None
    starting_after: str | None
    ending_before: str | None


class _GroupName(TypedDict):
    name: str


class NewGroup(_GroupName, total=False):
    """The members of a new group. None is the same as absent."""

    description: str | None
    avatar_url: str | None
    contacts: list[Contact] | None


class GroupChanges(TypedDict, total=False):
    """The changes of an update. An absent member keeps its value, and None clears it."""

    name: str
    description: str | None
    avatar_url: str | None
    contacts: list[Contact] | None
    archived_at: int | None

"""A client of the groups API of Protocol, a chat product."""

from ._client import ApiClient, AsyncApiClient, AsyncGroups, Groups
from ._core import VERSION as __version__
from ._errors import ApiError, ConnectionError, ProtocolError, TimeoutError
from ._models import Contact, Group, GroupChanges, ListParameters, NewGroup, Page

__all__ = [
    "ApiClient",
    "ApiError",
    "AsyncApiClient",
    "AsyncGroups",
    "ConnectionError",
    "Contact",
    "Group",
    "GroupChanges",
    "Groups",
    "ListParameters",
    "NewGroup",
    "Page",
    "ProtocolError",
    "TimeoutError",
    "__version__",
]

"""The errors that a client raises after it has sent a request, or tried to."""

from __future__ import annotations

import builtins


class ProtocolError(Exception):
    """The base of all errors of this package."""


class ConnectionError(ProtocolError, builtins.ConnectionError):
    """The connection could not be made, or it closed before the whole response arrived."""


class TimeoutError(ProtocolError, builtins.TimeoutError):
    """The response did not arrive in time."""


class ApiError(ProtocolError):
    """The response is an error, or not what the API promises."""

    def __init__(
        self,
        message: str,
        status: int,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        documentation_url: str | None = None,
        request_id: str | None = None,
    ) -> None:
        # All arguments, because pickle creates the copy from them.
        super().__init__(message, status, type, code, param, documentation_url, request_id)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.documentation_url = documentation_url
        self.request_id = request_id

    def __str__(self) -> str:
        details = [f"status {self.status}"]
        details += [f"{name} {value}" for name in ("code", "param", "request_id") if (value := getattr(self, name))]
        return f"{self.message} ({', '.join(details)})"

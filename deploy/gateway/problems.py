"""What went wrong, told as RFC 9457 has it: application/problem+json with one clear sentence in `detail`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

PROBLEM: Final = "application/problem+json"

LATER_S: Final = 5
"""After so many seconds it is worth another trial, where nobody knows better."""

_KINDS: Final = {
    400: ("bad-request", "The request cannot be read"),
    401: ("unauthorized", "A token is needed"),
    403: ("forbidden", "The token may not do this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "There is no such method here"),
    406: ("not-acceptable", "There is no such form of it"),
    408: ("timeout", "The request did not come in time"),
    409: ("conflict", "The request is under way"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported", "The request comes in a form that is not taken"),
    422: ("refused", "Nothing of the request was accepted"),
    429: ("too-fast", "The token sends too fast"),
    500: ("internal", "The gateway made a mistake"),
    503: ("busy", "The gateway cannot take this now"),
}

UNAUTHORIZED: Final = {"WWW-Authenticate": 'Bearer realm="quayside"'}


class Problem(Exception):
    """An answer that is a problem. `more`: further members of the document."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status: Final = status
        self.detail: Final = detail
        self.headers: Final = dict(headers or {})
        self.more: Final = dict(more or {})

    def response(self) -> Response:
        """As an answer."""
        return Response(self.body(), self.status, self.headers, PROBLEM)

    def body(self) -> bytes:
        """As a document."""
        name, title = _KINDS.get(self.status) or ("http", HTTPStatus(self.status).phrase)
        return msgspec.json.encode(
            {
                "type": f"urn:quayside:problem:{name}",
                "title": title,
                "status": self.status,
                "detail": self.detail,
                **self.more,
            }
        )


def unauthorized() -> Problem:
    """No token, or one that is good for nothing: the same answer for both."""
    return Problem(
        401,
        "Send a token that is good here, as `Authorization: Bearer SECRET`; whoever runs Quayside makes one with "
        "`quayside tokens create`.",
        UNAUTHORIZED,
    )

"""The gateway as an application: its routes, what became of each request in numbers, and failures as problems."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.gateway import epcis, openapi, pages
from deploy.gateway.bodies import BodyRefused
from deploy.gateway.idempotency import UnderWay, UsedOtherwise
from deploy.gateway.limits import Busy
from deploy.gateway.problems import LATER_S, Problem
from deploy.gateway.routes import Parts, Routes
from deploy.gateway.tally import OTHER, Tally
from deploy.tokens import Grant
from schemas.errors import QuaysideError, Unreachable

_NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
"""What a gateway tells of itself stands at /metrics."""


def make_app(parts: Parts) -> FastAPI:
    """The application. It starts nothing; `parts` are closed by whoever made them."""
    routes = Routes(parts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        routes.close()

    async def identify(request: Request) -> Grant:
        return routes.identify(request)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, telemetry=_NO_TELEMETRY)
    app.add_middleware(_Counted, tally=parts.tally)
    # All of these are told by openapi.py.
    app.router.routes.append(_Plain("/v1/events", routes.publish, methods=["POST"], include_in_schema=False))
    for path, method, endpoint in (
        ("/v1/events/{source}/{event_id:path}", "GET", routes.status),
        ("/v1/rejections", "GET", routes.rejections),
        ("/health", "GET", routes.health),
        ("/ready", "GET", routes.ready),
        ("/metrics", "GET", routes.metrics),
    ):
        app.add_api_route(path, endpoint, methods=[method], include_in_schema=False)
    app.include_router(
        epcis.router(parts.intake, parts.captures, identify, body=parts.receiving.body, charge=parts.limits.charge)
    )
    pages.mount(app, lambda: openapi.document(app))
    _answer_problems(app)
    return app


def _answer_problems(app: FastAPI) -> None:
    """Every failure is a problem document."""

    def handler(kind: type[Exception]) -> Callable[[Callable[[Any], Problem]], None]:
        def register(told: Callable[[Any], Problem]) -> None:
            async def answer(_: Request, error: Exception) -> Response:
                return told(error).response()

            app.add_exception_handler(kind, answer)

        return register

    handler(Problem)(lambda error: error)
    handler(BodyRefused)(lambda error: Problem(error.status, str(error)))
    handler(UsedOtherwise)(lambda error: Problem(422, str(error)))
    handler(UnderWay)(lambda error: Problem(409, str(error), {"Retry-After": "1"}))
    handler(Busy)(lambda error: Problem(error.status, str(error), {"Retry-After": str(error.retry_after)}))
    handler(Unreachable)(lambda error: Problem(503, str(error), {"Retry-After": str(LATER_S)}))
    handler(ClientDisconnect)(lambda _: Problem(400, "The request was broken off."))
    handler(RequestValidationError)(lambda error: Problem(400, f"The request is not as it should be: {error}"))
    handler(HTTPException)(lambda error: Problem(error.status_code, _sentence(error), error.headers))
    handler(QuaysideError)(lambda error: Problem(500, str(error)))
    handler(Exception)(lambda _: Problem(500, "The gateway made a mistake: its log tells which; send it again later."))


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404:  # noqa: PLR2004  # HTTP's number
        return "There is nothing at this address: /docs shows what there is."
    if error.status_code == 405:  # noqa: PLR2004  # HTTP's number
        return "This address does not take that method: /docs shows what there is."
    return str(error.detail)


class _Plain(Route):
    """A route whose endpoint reads the request itself: what FastAPI does before one costs 50 microseconds a request."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's; who counts is told the route."""
        match, child = super().matches(scope)
        return match, {**child, "route": self} if child else child


class _Counted:
    """Counts requests by route and status, around everything else."""

    def __init__(self, app: ASGIApp, tally: Tally) -> None:
        self._app: Final = app
        self._tally: Final = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tally, began, status = self._tally, time.perf_counter(), 500
        tally.under_way += 1

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            tally.under_way -= 1
            route = scope.get("route")
            tally.requests[getattr(route, "path", OTHER), status] += 1
            tally.seconds.add(time.perf_counter() - began)

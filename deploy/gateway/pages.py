"""/openapi.json, and /docs: a page to try the gateway with; all of it comes from here, nothing from elsewhere."""

import asyncio
import json
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Quayside gateway</title>
<link rel="stylesheet" href="/docs/files/swagger-ui.css">
<link rel="icon" href="/docs/files/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/docs/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], persistAuthorization: false
});
"""


def mount(app: FastAPI, document: Callable[[], dict[str, Any]]) -> None:
    """Add the routes; the document is made when it is first asked for."""
    made = lru_cache(1)(lambda: json.dumps(document(), ensure_ascii=False).encode())
    shown = lru_cache(1)(lambda: json.dumps(as_3_0(json.loads(made())), ensure_ascii=False).encode())

    async def openapi(_: Request) -> Response:
        return Response(await asyncio.to_thread(made), media_type="application/json")

    async def older(_: Request) -> Response:
        return Response(await asyncio.to_thread(shown), headers=_HEADERS, media_type="application/json")

    async def page(_: Request) -> Response:
        return Response(_PAGE, headers=_HEADERS, media_type="text/html")

    async def start(_: Request) -> Response:
        return Response(_START, headers=_HEADERS, media_type="text/javascript")

    for path, endpoint in (
        ("/openapi.json", openapi),
        ("/docs", page),
        ("/docs/openapi.json", older),
        ("/docs/start.js", start),
    ):
        app.add_api_route(path, endpoint, include_in_schema=False)
    app.mount("/docs/files", _Files())


def as_3_0(part: Any) -> Any:
    """An OpenAPI 3.1 document in the words of 3.0, as far as the page needs it: its Swagger UI knows no newer one."""
    if isinstance(part, list):
        return [as_3_0(one) for one in part]
    if not isinstance(part, dict):
        return part
    told = {name: as_3_0(one) for name, one in part.items()}
    if "openapi" in told:
        told["openapi"] = "3.0.3"
    if "const" in told:
        told["enum"] = [told.pop("const")]
    for choice in ("anyOf", "oneOf"):
        kinds = told.get(choice)
        if isinstance(kinds, list) and {"type": "null"} in kinds:
            told[choice] = [kind for kind in kinds if kind != {"type": "null"}]
            told["nullable"] = True
    if isinstance(told.get("type"), list):
        kinds = [kind for kind in told["type"] if kind != "null"]
        told |= {"type": kinds[0], "nullable": len(kinds) < len(told["type"])}
    return told


class _Files:
    """Swagger UI's files, looked for when the first one is asked for."""

    def __init__(self) -> None:
        self._files: StaticFiles | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._files is None:
            self._files = await asyncio.to_thread(_swagger_ui)
        await self._files(scope, receive, send)


def _swagger_ui() -> StaticFiles:
    (folder,) = Path(str(files("swagger_ui_bundle"))).glob("vendor/swagger-ui-*")
    return StaticFiles(directory=folder)

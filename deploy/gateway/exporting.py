"""The gateway's OpenAPI document as a file."""

import json
from pathlib import Path
from typing import Any, Final, cast

from fastapi import FastAPI, Request

from deploy.gateway import epcis, openapi
from deploy.tokens import Grant
from schemas.errors import WrongInput

NAME: Final = "openapi.json"


def export_openapi(directory: Path) -> str:
    """Write openapi.json into a directory that is there; its name. Raises WrongInput where that cannot be done."""
    path = directory / NAME
    try:
        path.write_text(json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise WrongInput(
            f"Cannot write {path} ({error.strerror or type(error).__name__}): name a directory that can be written to."
        ) from None
    return NAME


def openapi_document() -> dict[str, Any]:
    """The document, without a gateway: its routes are looked at and none of them runs."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    nothing = cast("Any", None)

    async def identify(_: Request) -> Grant:
        raise AssertionError

    app.include_router(epcis.router(nothing, nothing, identify))
    return openapi.document(app)

"""Swagger UI at `/docs`, served from installed files instead of a CDN."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

from fastapi import Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from storemon_api.http.routing import Router

router = Router(is_strict=False, include_in_schema=False)

ASSETS_PATH: Final = "/docs/assets"
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def docs_assets() -> StaticFiles:
    """Return the Swagger UI of the package fastapi-offline, to be mounted at `ASSETS_PATH`."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return Swagger UI. Its start-up script is the only inline script allowed."""
    root = request.scope.get("root_path", "").rstrip("/")
    page = get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=f"{request.app.title}: HTTP interface",
        swagger_js_url=f"{root}{ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
    )
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(bytes(page.body))
    )
    page.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    return page

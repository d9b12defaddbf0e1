"""The frame that all pages share: its bar, its templates, its headers. No routes."""

from importlib.resources import files
from typing import Final

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from storemon_api.security.request_access import may_request, visitor
from storemon_pipeline.domain.text_directions import with_visible_directions

_PAGES: Final = (
    ("/", "Now"),
    ("/pages/alerts", "Alerts"),
    ("/pages/objectives", "Objectives"),
    ("/pages/compare", "Compare"),
    ("/pages/statements", "Statements"),
    ("/pages/reports", "Reports"),
    ("/pages/data", "Data health"),
    ("/pages/accounts", "Accounts"),
    ("/manual", "Manual"),
    ("/docs", "API"),
)


def _shown(value: object) -> object:
    """The value as people read it; what a filter has made `Markup` stays as it is."""
    return with_visible_directions(value) if type(value) is str else value


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(str(files("storemon_api.web") / "templates")),
    autoescape=True,
    finalize=_shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Everything comes from this server; nothing runs that is not a file of it.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


def root_of(request: Request) -> str:
    """Return the path below which the service answers, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def page_response(
    request: Request, template: str, title: str, *, here: str, **content: object
) -> Response:
    """Answer with a page; `here` is the address of its entry in the bar, `content` its own.

    The bar has the pages that the visitor may open, and for a signed-in one the name.
    """
    access = visitor(request)
    identity = None if access is None else access.identity
    text = _TEMPLATES.get_template(template).render(
        root=root_of(request),
        title=title,
        pages=[page for page in _PAGES if may_request(request, "GET", page[0])],
        here=here,
        visitor_name=identity.name if identity and identity.account_id is not None else None,
        is_signed_in=access is not None and access.is_signed_in,
        **content,
    )
    return Response(
        text.encode("utf-8", "replace"),
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": _POLICY,
            "Cache-Control": "no-cache",
            # Without any referrer, a browser says `Origin: null` for forms of the page.
            "Referrer-Policy": "same-origin",
        },
    )

"""The manual as pages: one address for each of its pages, and a search."""

from typing import Annotated, Final

from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException

from storemon_api.http.routing import Router
from storemon_api.web import manual
from storemon_api.web.page_templates import page_response, root_of

router = Router(is_strict=False, include_in_schema=False)

_ADDRESS: Final = "/manual"
_LONGEST_QUERY: Final = 200


@router.get(_ADDRESS)
async def manual_index(
    request: Request, q: Annotated[str, Query(max_length=_LONGEST_QUERY)] = ""
) -> Response:
    """Answer with the manual's first page, or with what a search finds."""
    if q.strip():
        return _response(request, f"Search: {q}", name="", query=q, hits=manual.search(q))
    return _page(request, manual.INDEX)


@router.get(f"{_ADDRESS}/{{page}}")
async def manual_page(request: Request, page: str) -> Response:
    """Answer with one page of the manual."""
    if page not in manual.NAMES:
        raise HTTPException(404)
    return _page(request, page)


def _page(request: Request, name: str) -> Response:
    html = manual.render(name, root_of(request))
    return _response(request, f"{manual.page(name).title} - manual", name=name, html=html)


def _response(
    request: Request,
    title: str,
    *,
    name: str,
    html: str = "",
    query: str = "",
    hits: list[manual.Hit] | None = None,
) -> Response:
    chapters = [
        (chapter, [manual.page(other) for other in names]) for chapter, names in manual.CHAPTERS
    ]
    return page_response(
        request,
        "manual.html",
        title,
        here=_ADDRESS,
        script=None,
        store_id="",
        chapters=chapters,
        current=manual.page(name) if name else None,
        index=manual.INDEX,
        html=html,
        query=query,
        hits=hits,
    )
